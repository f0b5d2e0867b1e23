//! Schedules of scans. Whoever changes one has locked its row, and so has whoever fires it ([`due`]), so that a change and a firing
//! come one after the other. What belongs together over a schedule's life stands in [`crate::schedules`].

mod due;
mod firing;
pub mod measure;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::page::{Listed, Page};
use crate::ids::{CloudAccountId, OrgId, ScheduleId, WebhookEndpointId};

pub use due::{Advance, NewScheduledScan, Target, advance, due, insert_scans, next_due, targets};
pub use firing::{
    COUNTED, Firing, NewFiring, ScanCounts, conclude, count_scans, expire_firings, insert_firings, list_firings,
    lock_open,
};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account that is scanned; none: all that there are at each firing.
    pub cloud_account_id: Option<CloudAccountId>,
    /// Name that people see.
    pub name: String,
    /// Five-field cron line.
    pub schedule: String,
    /// IANA name of the zone that the line is read in.
    pub timezone: String,
    /// Regions that are read; empty: every enabled one.
    pub filter_regions: Vec<String>,
    /// Endpoints that are told of its scans whatever they have asked for.
    pub notify_webhook_config_ids: Vec<WebhookEndpointId>,
    /// Kept for when Slack is connected.
    pub notify_slack_channel: Option<String>,
    /// Whether it fires.
    pub enabled: bool,
    /// Why the platform switched it off; none where a person did.
    pub disabled_reason: Option<String>,
    /// Firings in a row all of whose scans failed.
    pub consecutive_failures: i32,
    /// What went wrong last; none after a firing without a fault.
    pub last_error: Option<String>,
    /// When it last started scans.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it fires next; none while it does not.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Id of the person or key that created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Last change by a person.
    pub updated_at: DateTime<Utc>,
}

impl Schedule {
    /// What its owner has decided.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings {
            cloud_account_id: self.cloud_account_id,
            name: &self.name,
            schedule: &self.schedule,
            timezone: &self.timezone,
            filter_regions: &self.filter_regions,
            notify_webhook_config_ids: &self.notify_webhook_config_ids,
            notify_slack_channel: self.notify_slack_channel.as_deref(),
            enabled: self.enabled,
        }
    }
}

/// What its owner decides about a schedule; checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings<'a> {
    /// The account; none: all.
    pub cloud_account_id: Option<CloudAccountId>,
    /// 1 to 256 characters.
    pub name: &'a str,
    /// Five-field cron line, up to 256 characters.
    pub schedule: &'a str,
    /// IANA name.
    pub timezone: &'a str,
    /// Empty: every enabled one.
    pub filter_regions: &'a [String],
    /// Up to 20 endpoints.
    pub notify_webhook_config_ids: &'a [WebhookEndpointId],
    /// Up to 128 characters.
    pub notify_slack_channel: Option<&'a str>,
    /// Whether it fires.
    pub enabled: bool,
}

/// Expands to a checked query of whole [`Schedule`]s between two pieces of SQL.
macro_rules! schedules {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Schedule,
            $before
                + r#" id AS "id: ScheduleId", org_id AS "org_id: OrgId", cloud_account_id AS "cloud_account_id: CloudAccountId",
                name, schedule, timezone, filter_regions,
                notify_webhook_config_ids AS "notify_webhook_config_ids: Vec<WebhookEndpointId>", notify_slack_channel,
                enabled, disabled_reason, consecutive_failures, last_error, last_run_at, next_run_at, created_by, created_at,
                updated_at "#
                + $after
            $(, $arg)*
        )
    };
}
use schedules;

/// The time of the caller's transaction, by the database's clock: the one by which schedules fire.
///
/// # Errors
/// The database's.
pub async fn now(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(conn).await
}

/// Stores a new schedule.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    (org_id, id, created_by): (OrgId, ScheduleId, &str),
    settings: Settings<'_>,
    next_run_at: Option<DateTime<Utc>>,
) -> sqlx::Result<Schedule> {
    let notified: Vec<_> = settings.notify_webhook_config_ids.iter().map(|id| id.uuid()).collect();
    schedules!(
        "INSERT INTO schedule (id, org_id, cloud_account_id, name, schedule, timezone, filter_regions,
                               notify_webhook_config_ids, notify_slack_channel, enabled, next_run_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING",
        "",
        id.uuid(),
        org_id.uuid(),
        settings.cloud_account_id.map(CloudAccountId::uuid),
        settings.name,
        settings.schedule,
        settings.timezone,
        settings.filter_regions,
        &notified,
        settings.notify_slack_channel,
        settings.enabled,
        next_run_at,
        created_by,
    )
    .fetch_one(conn)
    .await
}

/// A schedule that is not deleted.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, org_id: OrgId, id: ScheduleId) -> sqlx::Result<Option<Schedule>> {
    schedules!("SELECT", "FROM schedule WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// A schedule that is not deleted, locked until the transaction ends. One that fires just now is waited for.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, org_id: OrgId, id: ScheduleId) -> sqlx::Result<Option<Schedule>> {
    schedules!(
        "SELECT",
        "FROM schedule WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// How many an organisation has, those included that are switched off: what the plan's `schedules` limits. Count while the
/// organisation's row is locked.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM schedule WHERE org_id = $1 AND deleted_at IS NULL"#,
        org_id.uuid()
    )
    .fetch_one(conn)
    .await
}

/// The newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, page: Page) -> sqlx::Result<Listed<Schedule>> {
    let total = count(conn, org_id).await?;
    let rows = schedules!(
        "SELECT",
        "FROM schedule WHERE org_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        org_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// What a change does to the count of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// Nothing.
    Kept,
    /// It begins anew.
    Forgotten,
}

/// Changes a schedule that the caller has locked.
///
/// # Errors
/// The database's.
pub async fn update(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, ScheduleId),
    settings: Settings<'_>,
    next_run_at: Option<DateTime<Utc>>,
    failures: Failures,
) -> sqlx::Result<Schedule> {
    let notified: Vec<_> = settings.notify_webhook_config_ids.iter().map(|id| id.uuid()).collect();
    schedules!(
        "UPDATE schedule
            SET cloud_account_id = $3, name = $4, schedule = $5, timezone = $6, filter_regions = $7,
                notify_webhook_config_ids = $8, notify_slack_channel = $9, enabled = $10, next_run_at = $11,
                disabled_reason = CASE WHEN $10 THEN NULL ELSE disabled_reason END,
                consecutive_failures = CASE WHEN $12 THEN 0 ELSE consecutive_failures END,
                updated_at = now()
          WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        settings.cloud_account_id.map(CloudAccountId::uuid),
        settings.name,
        settings.schedule,
        settings.timezone,
        settings.filter_regions,
        &notified,
        settings.notify_slack_channel,
        settings.enabled,
        next_run_at,
        failures == Failures::Forgotten,
    )
    .fetch_one(conn)
    .await
}

/// Deletes a schedule that the caller has locked; the row stays for whoever audits.
///
/// # Errors
/// The database's.
pub async fn delete(conn: &mut PgConnection, org_id: OrgId, id: ScheduleId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE schedule SET deleted_at = now(), updated_at = now(), next_run_at = NULL WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a firing whose scans have all ended counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every scan failed.
    Failed,
    /// At least one did not.
    Succeeded,
}

/// Counts a firing that is over, and says what went wrong in it, if anything did. `None` where the schedule is deleted.
///
/// # Errors
/// The database's.
pub async fn count_firing(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, ScheduleId),
    verdict: Verdict,
    error: Option<&str>,
) -> sqlx::Result<Option<Schedule>> {
    schedules!(
        "UPDATE schedule
            SET consecutive_failures = CASE WHEN $3 THEN consecutive_failures + 1 ELSE 0 END, last_error = $4
          WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        verdict == Verdict::Failed,
        error,
    )
    .fetch_optional(conn)
    .await
}

/// Switches a schedule off for a reason; `None` when it is off already, or deleted.
///
/// # Errors
/// The database's.
pub async fn disable(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, ScheduleId),
    reason: &str,
) -> sqlx::Result<Option<Schedule>> {
    schedules!(
        "UPDATE schedule SET enabled = false, disabled_reason = $3, next_run_at = NULL
          WHERE org_id = $1 AND id = $2 AND enabled AND deleted_at IS NULL RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        reason,
    )
    .fetch_optional(conn)
    .await
}

/// The endpoints that are told of a schedule's scans, also of a deleted one's.
///
/// # Errors
/// The database's.
pub async fn notified(conn: &mut PgConnection, org_id: OrgId, id: ScheduleId) -> sqlx::Result<Vec<WebhookEndpointId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT notify_webhook_config_ids AS "ids: Vec<WebhookEndpointId>" FROM schedule WHERE org_id = $1 AND id = $2"#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(ids.unwrap_or_default())
}
