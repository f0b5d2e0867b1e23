//! What became of each firing.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::batches::Batch;
use crate::db::page::Page;
use crate::domain::{FiringOutcome, FiringTrigger};
use crate::ids::{OrgId, ScheduleId};

/// Firings of a schedule are counted so far and no further: one that fires every minute has 130,000 in 90 days.
pub const COUNTED: i64 = 10_000;

/// A firing, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The time that the schedule's line names; for a request, the time of that.
    pub scheduled_for: DateTime<Utc>,
    /// What made it fire.
    pub trigger: FiringTrigger,
    /// What became of it.
    pub outcome: FiringOutcome,
    /// Scans that were started.
    pub scans: i32,
    /// Accounts left out because the schedule's last scan of them had not ended.
    pub passed_over: i32,
    /// Firings before it that nobody carried out in time.
    pub missed_count: i32,
    /// The first of those.
    pub missed_since: Option<DateTime<Utc>>,
    /// When it was carried out.
    pub fired_at: DateTime<Utc>,
    /// Scans that ended in error, once all have ended.
    pub failed: Option<i32>,
    /// When the last scan ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A firing to be written down.
#[derive(Debug, Clone)]
pub struct NewFiring {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The time that the schedule's line names.
    pub scheduled_for: DateTime<Utc>,
    /// The organisation.
    pub org_id: OrgId,
    /// What makes it fire.
    pub trigger: FiringTrigger,
    /// What becomes of it.
    pub outcome: FiringOutcome,
    /// Scans that it starts.
    pub scans: usize,
    /// Accounts that it leaves out.
    pub passed_over: usize,
    /// Firings before it that nobody carried out.
    pub missed_count: i32,
    /// The first of those.
    pub missed_since: Option<DateTime<Utc>>,
}

/// Writes firings down; tells which of the schedules had not fired for that time. Only those may start scans.
///
/// # Errors
/// The database's.
pub async fn insert_firings(conn: &mut PgConnection, firings: &[NewFiring]) -> sqlx::Result<Vec<ScheduleId>> {
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let ids: Vec<Uuid> = firings.iter().map(|firing| firing.schedule_id.uuid()).collect();
    let times: Vec<DateTime<Utc>> = firings.iter().map(|firing| firing.scheduled_for).collect();
    let orgs: Vec<Uuid> = firings.iter().map(|firing| firing.org_id.uuid()).collect();
    let triggers: Vec<String> = firings.iter().map(|firing| firing.trigger.to_string()).collect();
    let outcomes: Vec<String> = firings.iter().map(|firing| firing.outcome.to_string()).collect();
    let scans: Vec<i32> = firings.iter().map(|firing| count(firing.scans)).collect();
    let passed_over: Vec<i32> = firings.iter().map(|firing| count(firing.passed_over)).collect();
    let missed: Vec<i32> = firings.iter().map(|firing| firing.missed_count).collect();
    let since: Vec<Option<DateTime<Utc>>> = firings.iter().map(|firing| firing.missed_since).collect();
    sqlx::query_scalar!(
        r#"INSERT INTO schedule_firing (schedule_id, scheduled_for, org_id, trigger, outcome, scans, passed_over,
                                        missed_count, missed_since)
           SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[],
                                $8::int[], $9::timestamptz[])
           ON CONFLICT DO NOTHING RETURNING schedule_id AS "id: ScheduleId""#,
        &ids,
        &times,
        &orgs,
        &triggers,
        &outcomes,
        &scans,
        &passed_over,
        &missed,
        &since as &[Option<DateTime<Utc>>],
    )
    .fetch_all(conn)
    .await
}

/// A part of a schedule's firings, the newest first, and how many there are; [`COUNTED`] means so many or more.
///
/// # Errors
/// The database's.
pub async fn list_firings(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, ScheduleId),
    page: Page,
) -> sqlx::Result<(Vec<Firing>, i64)> {
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "total!" FROM
             (SELECT FROM schedule_firing WHERE org_id = $1 AND schedule_id = $2 LIMIT $3) counted"#,
        org_id.uuid(),
        id.uuid(),
        COUNTED,
    )
    .fetch_one(&mut *conn)
    .await?;
    let rows = sqlx::query_as!(
        Firing,
        r#"SELECT scheduled_for, trigger AS "trigger: FiringTrigger", outcome AS "outcome: FiringOutcome", scans, passed_over,
                  missed_count, missed_since, fired_at, failed, finished_at
             FROM schedule_firing WHERE org_id = $1 AND schedule_id = $2
            ORDER BY scheduled_for DESC LIMIT $3 OFFSET $4"#,
        org_id.uuid(),
        id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok((rows, total))
}

/// Locks a firing until the transaction ends: whoever ends one of its scans looks afterwards whether that was the last. False when it is
/// over, or forgotten.
///
/// # Errors
/// The database's.
pub async fn lock_open(conn: &mut PgConnection, id: ScheduleId, scheduled_for: DateTime<Utc>) -> sqlx::Result<bool> {
    let open = sqlx::query_scalar!(
        r#"SELECT finished_at IS NULL AS "open!" FROM schedule_firing WHERE schedule_id = $1 AND scheduled_for = $2
             FOR NO KEY UPDATE"#,
        id.uuid(),
        scheduled_for,
    )
    .fetch_optional(conn)
    .await?;
    Ok(open.unwrap_or(false))
}

/// How a firing's scans went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCounts {
    /// Scans.
    pub all: i64,
    /// Those that ended in error.
    pub failed: i64,
    /// Why the one that failed last did.
    pub last_error: Option<String>,
}

/// Counts a firing's scans; `None` while one has not ended.
///
/// # Errors
/// The database's.
pub async fn count_scans(
    conn: &mut PgConnection,
    id: ScheduleId,
    scheduled_for: DateTime<Utc>,
) -> sqlx::Result<Option<ScanCounts>> {
    let any_open = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM scan_run WHERE schedule_id = $1 AND scheduled_for = $2
                             AND status IN ('pending', 'running')) AS "any_open!""#,
        id.uuid(),
        scheduled_for,
    )
    .fetch_one(&mut *conn)
    .await?;
    if any_open {
        return Ok(None);
    }
    sqlx::query_as!(
        ScanCounts,
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE status = 'error') AS "failed!",
                  (array_agg(error ORDER BY finished_at DESC) FILTER (WHERE status = 'error'))[1] AS last_error
             FROM scan_run WHERE schedule_id = $1 AND scheduled_for = $2"#,
        id.uuid(),
        scheduled_for,
    )
    .fetch_optional(conn)
    .await
}

/// Ends a firing all of whose scans have ended.
///
/// # Errors
/// The database's.
pub async fn conclude(
    conn: &mut PgConnection,
    id: ScheduleId,
    scheduled_for: DateTime<Utc>,
    failed: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE schedule_firing SET failed = $3, finished_at = now() WHERE schedule_id = $1 AND scheduled_for = $2",
        id.uuid(),
        scheduled_for,
        i32::try_from(failed).unwrap_or(i32::MAX),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to `most` firings of more than so many days ago, from those of a time on.
///
/// # Errors
/// The database's.
pub async fn expire_firings(
    conn: &mut PgConnection,
    days: i32,
    from: Option<DateTime<Utc>>,
    most: i64,
) -> sqlx::Result<Batch<Option<DateTime<Utc>>>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM schedule_firing WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM schedule_firing
            WHERE fired_at < now() - make_interval(days => $1) AND fired_at >= coalesce($2::timestamptz, '-infinity')
            ORDER BY fired_at LIMIT $3 FOR UPDATE SKIP LOCKED))
         RETURNING fired_at",
        days,
        from,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(Batch::of(gone.len(), most, || Some(gone.into_iter().max())))
}
