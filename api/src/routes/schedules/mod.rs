//! Schedules: scans that begin by themselves.

mod create;
mod delete;
mod firings;
mod form;
mod get;
mod list;
mod preview;
mod run;
mod update;

use chrono::{DateTime, Utc};
use jobs::db::schedule;
use jobs::ids::{CloudAccountId, WebhookEndpointId};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("schedules")
        .get(list::list_schedules)
        .post(create::create_schedule)
        .push(Router::with_path("preview").get(preview::preview_schedule))
        .push(
            Router::with_path("{sid}")
                .get(get::get_schedule)
                .put(update::update_schedule)
                .delete(delete::delete_schedule)
                .push(Router::with_path("run").post(run::run_schedule_now))
                .push(Router::with_path("firings").get(firings::list_schedule_firings)),
        )
}

const fn unknown() -> Problem {
    Problem::not_found("schedule")
}

/// A schedule of scans.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Schedule",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "org_id": "01890a5d-ac96-774b-bcce-b302099a8058",
        "cloud_account_id": null,
        "name": "every night",
        "schedule": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "filter_regions": [],
        "notify_webhook_config_ids": [],
        "notify_slack_channel": null,
        "enabled": true,
        "disabled_reason": null,
        "consecutive_failures": 0,
        "last_error": null,
        "last_run_at": "2026-01-01T01:30:17Z",
        "next_run_at": "2026-01-02T01:30:17Z",
        "created_by": "01890a5d-ac96-774b-bcce-b302099a8059",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"
    })
))]
struct Schedule {
    /// Its id.
    id: Uuid,
    /// The organisation.
    org_id: Uuid,
    /// The account that is scanned; null: all that there are at each firing.
    cloud_account_id: Option<Uuid>,
    /// Its name.
    name: String,
    /// Five-field cron line.
    schedule: String,
    /// The zone that the line is read in, by its IANA name.
    timezone: String,
    /// Regions that are read; empty: every enabled one.
    filter_regions: Vec<String>,
    /// Webhook endpoints that are told of its scans whatever they have asked for.
    notify_webhook_config_ids: Vec<Uuid>,
    /// Kept for when Slack is connected; nothing is sent there yet.
    notify_slack_channel: Option<String>,
    /// Whether it fires.
    enabled: bool,
    /// Why the platform switched it off; null where a person did.
    disabled_reason: Option<String>,
    /// Firings in a row all of whose scans failed; after five it is switched off.
    consecutive_failures: i32,
    /// What went wrong last; null after a firing without a fault.
    last_error: Option<String>,
    /// When it last started scans.
    last_run_at: Option<DateTime<Utc>>,
    /// When it fires next: a time of its line, put off by up to 30 s that are always the same. null while it is switched off.
    next_run_at: Option<DateTime<Utc>>,
    /// Id of the person or key that created it.
    created_by: String,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Last change by a person.
    updated_at: DateTime<Utc>,
}

impl From<schedule::Schedule> for Schedule {
    fn from(schedule: schedule::Schedule) -> Self {
        Self {
            id: schedule.id.uuid(),
            org_id: schedule.org_id.uuid(),
            cloud_account_id: schedule.cloud_account_id.map(CloudAccountId::uuid),
            name: schedule.name,
            schedule: schedule.schedule,
            timezone: schedule.timezone,
            filter_regions: schedule.filter_regions,
            notify_webhook_config_ids: schedule
                .notify_webhook_config_ids
                .into_iter()
                .map(WebhookEndpointId::uuid)
                .collect(),
            notify_slack_channel: schedule.notify_slack_channel,
            enabled: schedule.enabled,
            disabled_reason: schedule.disabled_reason,
            consecutive_failures: schedule.consecutive_failures,
            last_error: schedule.last_error,
            last_run_at: schedule.last_run_at,
            next_run_at: schedule.next_run_at,
            created_by: schedule.created_by,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}
