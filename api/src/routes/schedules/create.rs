//! `POST /orgs/{id}/schedules`

use jobs::audit::By;
use jobs::cron::{Expression, Timetable, Tz};
use jobs::db::schedule::{self, Settings};
use jobs::{db, plan, schedules};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;

use super::Schedule;
use super::form::{Form, check_references};
use crate::access::{Admin, Tenant};
use crate::answer::Created;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{PlanLimit, Problem};
use crate::request::Body;

/// A schedule to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(
    name = "NewSchedule",
    example = json!({"name": "every night", "schedule": "30 2 * * *", "timezone": "Europe/Berlin"})
))]
pub(super) struct NewSchedule {
    /// 1 to 256 characters.
    name: String,
    /// Five-field cron line: minute, hour, day of month, month, day of week; or `@hourly` and the like. Up to 256 characters.
    schedule: String,
    /// IANA name of the zone that the line is read in; absent or null: UTC.
    timezone: Option<String>,
    /// The account to scan; absent or null: all that there are at each firing.
    cloud_account_id: Option<String>,
    /// Regions to read; absent or empty: every enabled one.
    #[serde(default)]
    filter_regions: Vec<String>,
    /// Whether it fires; true where nothing is said.
    enabled: Option<bool>,
    /// Up to 20 webhook endpoints that are told of its scans whatever they have asked for.
    #[serde(default)]
    notify_webhook_config_ids: Vec<String>,
    /// Kept for when Slack is connected; nothing is sent there yet.
    notify_slack_channel: Option<String>,
}

impl NewSchedule {
    fn form(&self) -> Form<'_> {
        Form {
            name: Some(&self.name),
            schedule: Some(&self.schedule),
            timezone: self.timezone.as_deref(),
            cloud_account_id: self.cloud_account_id.as_deref(),
            filter_regions: Some(&self.filter_regions),
            notify_webhook_config_ids: Some(&self.notify_webhook_config_ids),
            notify_slack_channel: self.notify_slack_channel.as_deref(),
        }
    }
}

/// Scan on a cron schedule
///
/// Standard cron, with an optional time zone; look at it with `preview` first. A firing while the schedule's last scan of an account still runs
/// leaves that account out.
#[endpoint(
    operation_id = "create_schedule",
    tags("scans"),
    responses((
        status_code = 402,
        description = "`plan_limit_exceeded`: too many schedules; `plan_schedule_frequency`: it would fire too often for the plan"
    ))
)]
pub(super) async fn create_schedule(
    tenant: Tenant<Admin>,
    body: Body<NewSchedule>,
    idempotency: Idempotency,
) -> Result<Created<Schedule>, Problem> {
    let Body(new) = body;
    let checked = new.form().check()?;
    let line = checked.schedule.ok_or_else(|| Problem::internal("a line that was given was not judged"))?;
    PlanLimit::check_interval(tenant.plan, line.shortest_interval())?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (stored, zone): (Expression, Tz) = (line.clone(), checked.timezone.unwrap_or(Tz::UTC));
    let notified = checked.notify_webhook_config_ids.unwrap_or_default();
    let mut tx = tenant.app.begin().await?;
    let plan = db::org::lock(&mut tx, tenant.org).await?.ok_or(Problem::not_found("organisation"))?;
    let used = schedule::count(&mut tx, tenant.org).await?;
    PlanLimit::check("schedules", plan, plan::limits(plan).schedules, (used, 1))?;
    check_references(&mut tx, tenant.org, checked.cloud_account_id, &notified).await?;
    let settings = Settings {
        cloud_account_id: checked.cloud_account_id,
        name: &new.name,
        schedule: stored.as_str(),
        timezone: zone.name(),
        filter_regions: &new.filter_regions,
        notify_webhook_config_ids: &notified,
        notify_slack_channel: new.notify_slack_channel.as_deref(),
        enabled: new.enabled.unwrap_or(true),
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let by = By { actor: &actor, origin: &origin };
    let created = schedules::create(&mut tx, by, tenant.org, (settings, &Timetable::new(line, zone))).await?;
    let place = format!("/api/v2/orgs/{}/schedules/{}", tenant.org, created.id);
    attempt.commit(tx, Created::new(&Schedule::from(created))?.location(&place)).await
}
