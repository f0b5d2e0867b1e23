//! What people do to schedules. Each change writes its row of the audit chain, in the caller's transaction.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::Error;
use super::timing::next_run;
use crate::audit::{Action, By, Target, append};
use crate::cron::Timetable;
use crate::db::schedule::{self, Failures, Schedule, Settings};
use crate::ids::{OrgId, ScheduleId};

/// Creates a schedule. The caller has locked the organisation, found room, and read the timetable from the settings.
///
/// # Errors
/// See [`Error`].
pub async fn create(
    conn: &mut PgConnection,
    by: By<'_>,
    org_id: OrgId,
    (settings, timetable): (Settings<'_>, &Timetable),
) -> Result<Schedule, Error> {
    let id = ScheduleId::new();
    let now = schedule::now(conn).await?;
    let next = if settings.enabled { next_run(timetable, id, now) } else { None };
    let created = schedule::insert(conn, (org_id, id, &by.actor.id), settings, next).await?;
    write_down(conn, by, (Action::ScheduleCreated, &created), facts(&created)).await?;
    Ok(created)
}

/// Changes a schedule that the caller has locked; `before` is how it was. A changed line or zone, and switching it on, plan its next
/// firing anew.
///
/// # Errors
/// See [`Error`].
pub async fn update(
    conn: &mut PgConnection,
    by: By<'_>,
    before: &Schedule,
    (settings, timetable): (Settings<'_>, &Timetable),
) -> Result<Schedule, Error> {
    let is_switched_on = settings.enabled && !before.enabled;
    let is_moved = (settings.schedule, settings.timezone) != (&before.schedule, &before.timezone);
    let next = match settings.enabled {
        false => None,
        true if is_switched_on || is_moved => next_run(timetable, before.id, schedule::now(conn).await?),
        true => before.next_run_at,
    };
    let failures = if is_switched_on { Failures::Forgotten } else { Failures::Kept };
    let after = schedule::update(conn, (before.org_id, before.id), settings, next, failures).await?;
    let details = json!({"before": facts(before), "after": facts(&after)});
    write_down(conn, by, (Action::ScheduleUpdated, &after), details).await?;
    Ok(after)
}

/// Deletes a schedule that the caller has locked. Scans that it has started go on.
///
/// # Errors
/// See [`Error`].
pub async fn delete(conn: &mut PgConnection, by: By<'_>, schedule: &Schedule) -> Result<(), Error> {
    schedule::delete(conn, schedule.org_id, schedule.id).await?;
    write_down(conn, by, (Action::ScheduleDeleted, schedule), facts(schedule)).await
}

/// What the audit chain tells of a schedule.
fn facts(schedule: &Schedule) -> Value {
    json!({
        "name": schedule.name,
        "cloud_account_id": schedule.cloud_account_id,
        "schedule": schedule.schedule,
        "timezone": schedule.timezone,
        "filter_regions": schedule.filter_regions,
        "notify_webhook_config_ids": schedule.notify_webhook_config_ids,
        "notify_slack_channel": schedule.notify_slack_channel,
        "enabled": schedule.enabled,
    })
}

/// Writes an action on a schedule into its organisation's chain.
pub(super) async fn write_down(
    conn: &mut PgConnection,
    by: By<'_>,
    (action, schedule): (Action, &Schedule),
    details: Value,
) -> Result<(), Error> {
    append(conn, &by.entry(Some(schedule.org_id), action, target(schedule.id), details)).await?;
    Ok(())
}

/// A schedule, as the audit chain names it.
pub(super) fn target(id: ScheduleId) -> Target {
    Target { kind: "schedule", id: id.to_string() }
}
