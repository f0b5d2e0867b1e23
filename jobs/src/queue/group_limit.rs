//! Limits of single concurrency groups: how many of a group's jobs run at once, and how fast they start.
//!
//! Where [`limit`](super::limit) is what operators decide for every group of a kind, this is what belongs to one: a webhook
//! endpoint with a rate, or one that is paused (`max_running` 0). Claims hold to both, exactly and across all processes. A group's
//! backlog costs nobody else anything while its limit holds it back.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::signals::JOBS_CHANNEL;
use crate::kinds::Job;

/// What one group's jobs are held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupLimit<'a> {
    /// Whose group it is.
    pub tenant: Uuid,
    /// The group; not empty.
    pub group: &'a str,
    /// So many at once; 0 stops them.
    pub max_running: i32,
    /// So many start in a second, up to a second's worth at once; `None`: any number.
    pub rate: Option<f64>,
}

/// Sets a group's limit for jobs of kind `J`, in place of what it had; a pause that it was asked for stays.
///
/// # Errors
/// When the database refuses: a negative number, an empty group.
pub async fn set<J: Job>(conn: &mut PgConnection, limit: GroupLimit<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH changed AS (
           INSERT INTO group_limit (queue, kind, tenant, concurrency_group, max_running, rate) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (kind, tenant, concurrency_group) DO UPDATE SET max_running = $5, rate = $6
           RETURNING queue)
         SELECT pg_notify($7, queue) AS told FROM changed",
        J::QUEUE,
        J::KIND,
        limit.tenant,
        limit.group,
        limit.max_running,
        limit.rate,
        JOBS_CHANNEL,
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Lets no job of the group start before `pause` has passed.
///
/// # Errors
/// When the database refuses.
pub async fn hold_up<J: Job>(conn: &mut PgConnection, tenant: Uuid, group: &str, pause: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE group_limit SET next_at = greatest(next_at, now() + make_interval(secs => $4))
          WHERE kind = $1 AND tenant = $2 AND concurrency_group = $3",
        J::KIND,
        tenant,
        group,
        pause.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
