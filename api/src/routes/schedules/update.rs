//! `PUT /orgs/{id}/schedules/{sid}`

use jobs::audit::By;
use jobs::cron::{Expression, Tz};
use jobs::db::schedule::{self, Settings};
use jobs::ids::ScheduleId;
use jobs::schedules::{self, timing};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Deserialize;

use super::form::{Checked, Form, check_references};
use super::{Schedule, unknown};
use crate::access::{Admin, Tenant};
use crate::problem::{PlanLimit, Problem};
use crate::request::{Body, PathId, given};

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ScheduleChange", example = json!({"schedule": "0 */6 * * *", "enabled": true})))]
#[allow(clippy::option_option, reason = "absent, null and a value are three things")]
pub(super) struct Change {
    /// 1 to 256 characters.
    name: Option<String>,
    /// Five-field cron line. The next firing is planned anew.
    schedule: Option<String>,
    /// IANA name of a time zone; null: UTC. The next firing is planned anew.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Option<String>))]
    timezone: Option<Option<String>>,
    /// The account to scan; null: all that there are at each firing.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Option<String>))]
    cloud_account_id: Option<Option<String>>,
    /// In place of all that there are; empty: every enabled one.
    filter_regions: Option<Vec<String>>,
    /// true forgets past failures and plans the next firing; false switches it off.
    enabled: Option<bool>,
    /// In place of all that there are; up to 20.
    notify_webhook_config_ids: Option<Vec<String>>,
    /// Kept for when Slack is connected; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Option<String>))]
    notify_slack_channel: Option<Option<String>>,
}

impl Change {
    fn form(&self) -> Form<'_> {
        Form {
            name: self.name.as_deref(),
            schedule: self.schedule.as_deref(),
            timezone: self.timezone.as_ref().and_then(Option::as_deref),
            cloud_account_id: self.cloud_account_id.as_ref().and_then(Option::as_deref),
            filter_regions: self.filter_regions.as_deref(),
            notify_webhook_config_ids: self.notify_webhook_config_ids.as_deref(),
            notify_slack_channel: self.notify_slack_channel.as_ref().and_then(Option::as_deref),
        }
    }

    /// What the schedule is to be.
    fn settings<'a>(&'a self, checked: &'a Checked, before: Settings<'a>) -> Settings<'a> {
        Settings {
            cloud_account_id: match self.cloud_account_id {
                Some(_) => checked.cloud_account_id,
                None => before.cloud_account_id,
            },
            name: self.name.as_deref().unwrap_or(before.name),
            schedule: checked.schedule.as_ref().map_or(before.schedule, Expression::as_str),
            timezone: match self.timezone {
                Some(_) => checked.timezone.unwrap_or(Tz::UTC).name(),
                None => before.timezone,
            },
            filter_regions: self.filter_regions.as_deref().unwrap_or(before.filter_regions),
            notify_webhook_config_ids: checked
                .notify_webhook_config_ids
                .as_deref()
                .unwrap_or(before.notify_webhook_config_ids),
            notify_slack_channel: match &self.notify_slack_channel {
                Some(channel) => channel.as_deref(),
                None => before.notify_slack_channel,
            },
            enabled: self.enabled.unwrap_or(before.enabled),
        }
    }
}

/// Change parts of a schedule
///
/// What is left out stays. A new line is checked as at the creation, and so is the present one of a schedule that is switched on. Should it fire just
/// now, the change waits for the end of that.
#[endpoint(
    operation_id = "update_schedule",
    tags("scans"),
    responses((status_code = 402, description = "`plan_schedule_frequency`: it would fire too often for the plan"))
)]
pub(super) async fn update_schedule(
    tenant: Tenant<Admin>,
    sid: PathId<ScheduleId>,
    body: Body<Change>,
) -> Result<Json<Schedule>, Problem> {
    let Body(change) = body;
    let checked = change.form().check()?;
    let mut tx = tenant.app.begin().await?;
    let before = schedule::lock(&mut tx, tenant.org, sid.0).await?.ok_or(unknown())?;
    let settings = change.settings(&checked, before.settings());
    if settings == before.settings() {
        return Ok(Json(before.into()));
    }
    let account = checked.cloud_account_id.filter(|id| Some(*id) != before.cloud_account_id);
    let notified = checked.notify_webhook_config_ids.as_deref().unwrap_or_default();
    check_references(&mut tx, tenant.org, account, notified).await?;
    let timetable = timing::read(settings.schedule, settings.timezone)
        .map_err(|error| Problem::invalid("schedule", error.to_string()))?;
    if settings.schedule != before.schedule || (settings.enabled && !before.enabled) {
        PlanLimit::check_interval(tenant.plan, timetable.shortest_interval())?;
    }
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let by = By { actor: &actor, origin: &origin };
    let after = schedules::update(&mut tx, by, &before, (settings, &timetable)).await?;
    tx.commit().await?;
    Ok(Json(after.into()))
}
