//! What is due, and what firing it writes: few statements for many schedules.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Schedule, schedules};
use crate::ids::{CloudAccountId, JobId, OrgId, ScanId, ScheduleId, WebhookEndpointId};

/// A transaction that fires and falls silent for so long, because its process was stopped, is ended by the database; its schedules are then
/// anybody's.
const SILENCE: &str = "5s";

/// Up to `limit` schedules that are due, the longest due first, locked until the transaction ends. Those that somebody else holds are
/// passed over, so that any number of schedulers share the work.
///
/// # Errors
/// The database's.
pub async fn due(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Schedule>> {
    sqlx::query!(r#"SELECT set_config('idle_in_transaction_session_timeout', $1, true) AS "set!""#, SILENCE)
        .fetch_one(&mut *conn)
        .await?;
    schedules!(
        "SELECT",
        "FROM schedule WHERE next_run_at <= now() ORDER BY next_run_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        limit,
    )
    .fetch_all(conn)
    .await
}

/// In how long the next schedule is due, by the database's clock; negative where one is. `None` where there is none.
///
/// # Errors
/// The database's.
pub async fn next_due(conn: &mut PgConnection) -> sqlx::Result<Option<TimeDelta>> {
    let seconds = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM min(next_run_at) - clock_timestamp())::float8 AS "seconds"
             FROM schedule WHERE next_run_at IS NOT NULL"#
    )
    .fetch_one(conn)
    .await?;
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds until the year 2100 are far from the end of i64")]
    Ok(seconds.map(|seconds| TimeDelta::milliseconds((seconds * 1e3).ceil() as i64)))
}

/// An account that a schedule is to scan now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The account.
    pub cloud_account_id: CloudAccountId,
    /// Whether the schedule's last scan of it has not ended.
    pub still_running: bool,
}

/// What these schedules are to scan: their accounts, or all of their organisations that workers can scan.
///
/// # Errors
/// The database's.
pub async fn targets(conn: &mut PgConnection, schedules: &[ScheduleId]) -> sqlx::Result<Vec<Target>> {
    let ids: Vec<Uuid> = schedules.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Target,
        r#"SELECT s.id AS "schedule_id: ScheduleId", a.id AS "cloud_account_id: CloudAccountId",
                  EXISTS (SELECT FROM scan_run r WHERE r.schedule_id = s.id AND r.cloud_account_id = a.id
                             AND r.status IN ('pending', 'running')) AS "still_running!"
             FROM schedule s
             JOIN cloud_account a ON a.org_id = s.org_id AND a.id = coalesce(s.cloud_account_id, a.id)
            WHERE s.id = ANY ($1) AND a.provider <> 'kubernetes'
            ORDER BY s.id, a.created_at, a.id"#,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// A scan that a schedule starts, with the job that will run it.
#[derive(Debug, Clone, Copy)]
pub struct NewScheduledScan {
    /// Its id.
    pub id: ScanId,
    /// The job.
    pub job_id: JobId,
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// Which firing.
    pub scheduled_for: DateTime<Utc>,
    /// The account.
    pub cloud_account_id: CloudAccountId,
}

/// Inserts pending runs, of the regions that their schedules name.
///
/// # Errors
/// The database's.
pub async fn insert_scans(conn: &mut PgConnection, scans: &[NewScheduledScan]) -> sqlx::Result<u64> {
    let ids: Vec<Uuid> = scans.iter().map(|scan| scan.id.uuid()).collect();
    let jobs: Vec<Uuid> = scans.iter().map(|scan| scan.job_id.uuid()).collect();
    let schedules: Vec<Uuid> = scans.iter().map(|scan| scan.schedule_id.uuid()).collect();
    let times: Vec<DateTime<Utc>> = scans.iter().map(|scan| scan.scheduled_for).collect();
    let accounts: Vec<Uuid> = scans.iter().map(|scan| scan.cloud_account_id.uuid()).collect();
    let inserted = sqlx::query!(
        "INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, filter_regions, job_id, schedule_id, scheduled_for)
         SELECT n.id, s.org_id, a.id, a.provider, 'scheduled', s.filter_regions, n.job_id, s.id, n.scheduled_for
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::uuid[])
                AS n(id, job_id, schedule_id, scheduled_for, account_id)
           JOIN schedule s ON s.id = n.schedule_id
           JOIN cloud_account a ON a.id = n.account_id AND a.org_id = s.org_id",
        &ids,
        &jobs,
        &schedules,
        &times,
        &accounts,
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected())
}

/// A schedule that has fired, or was passed over, and goes on.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The schedule.
    pub id: ScheduleId,
    /// When it fires next.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Whether it started scans.
    pub started: bool,
    /// Why it did not.
    pub error: Option<String>,
}

/// Lets schedules that the caller has locked go on.
///
/// # Errors
/// The database's.
pub async fn advance(conn: &mut PgConnection, advances: &[Advance]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = advances.iter().map(|advance| advance.id.uuid()).collect();
    let next: Vec<Option<DateTime<Utc>>> = advances.iter().map(|advance| advance.next_run_at).collect();
    let started: Vec<bool> = advances.iter().map(|advance| advance.started).collect();
    let errors: Vec<Option<String>> = advances.iter().map(|advance| advance.error.clone()).collect();
    sqlx::query!(
        "UPDATE schedule s
            SET next_run_at = n.next_run_at, last_run_at = CASE WHEN n.started THEN now() ELSE s.last_run_at END,
                last_error = coalesce(n.error, s.last_error)
           FROM unnest($1::uuid[], $2::timestamptz[], $3::bool[], $4::text[]) AS n(id, next_run_at, started, error)
          WHERE s.id = n.id",
        &ids,
        &next as &[Option<DateTime<Utc>>],
        &started,
        &errors as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
