//! What `plumbline bench schedules` counts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::ScheduleId;

/// A firing, for its lateness.
#[derive(Debug, Clone, Copy)]
pub struct FiredAt {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The time that its line names.
    pub scheduled_for: DateTime<Utc>,
    /// When it was carried out.
    pub fired_at: DateTime<Utc>,
}

/// All firings there are.
///
/// # Errors
/// The database's.
pub async fn firings(conn: &mut PgConnection) -> sqlx::Result<Vec<FiredAt>> {
    sqlx::query_as!(
        FiredAt,
        r#"SELECT schedule_id AS "schedule_id: ScheduleId", scheduled_for, fired_at FROM schedule_firing"#
    )
    .fetch_all(conn)
    .await
}

/// How many firings there are.
///
/// # Errors
/// The database's.
pub async fn count_firings(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM schedule_firing"#).fetch_one(conn).await
}

/// What all firings have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Scans that schedules started.
    pub scans: i64,
    /// Schedules that started any.
    pub schedules: i64,
    /// Jobs for them.
    pub jobs: i64,
    /// Rows of the audit chains that tell of them.
    pub audited: i64,
}

/// Counts it.
///
/// # Errors
/// The database's.
pub async fn written(conn: &mut PgConnection) -> sqlx::Result<Written> {
    sqlx::query_as!(
        Written,
        r#"SELECT count(*) AS "scans!", count(DISTINCT r.schedule_id) AS "schedules!", count(j.id) AS "jobs!",
                  (SELECT count(*) FROM audit_event WHERE actor_kind = 'schedule') AS "audited!"
             FROM scan_run r LEFT JOIN job j ON j.id = r.job_id WHERE r.schedule_id IS NOT NULL"#
    )
    .fetch_one(conn)
    .await
}
