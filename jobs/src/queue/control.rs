//! What people do to the live queue: pausing and resuming queues, cancelling jobs.

use sqlx::PgConnection;
use uuid::Uuid;

use super::signals::{CANCEL_CHANNEL, JOBS_CHANNEL, OUTCOMES_CHANNEL};
use crate::ids::JobId;

/// What a cancellation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The job waited; it is gone.
    Cancelled,
    /// The job runs: its handler has been told, and it ends when that heeds it or meets its timeout.
    Requested,
    /// There is no such job, or it has ended.
    NotFound,
}

/// Cancels a job: at once while it waits, by its handler's token while it runs. In the caller's transaction.
///
/// # Errors
/// When the database refuses.
pub async fn cancel(conn: &mut PgConnection, id: JobId, reason: &str) -> sqlx::Result<Cancellation> {
    // A job may be claimed or handed back between the two statements; then it is the other one's.
    for _ in 0..3 {
        let gone = sqlx::query_scalar!(
            r#"WITH gone AS (
                 DELETE FROM job WHERE id = $1 AND claimed_by IS NULL RETURNING id, outcome_ttl_s, replay_of),
               errors AS (DELETE FROM job_error e USING gone WHERE e.job_id = gone.id),
               released AS (
                 UPDATE dead_job d SET replay_job_id = NULL, replayed_at = NULL FROM gone
                  WHERE d.id = gone.replay_of AND d.replay_job_id = gone.id),
               kept AS (
                 INSERT INTO job_outcome (job_id, state, error, expires_at)
                 SELECT id, 'cancelled', $2, now() + make_interval(secs => outcome_ttl_s) FROM gone WHERE outcome_ttl_s > 0
                 RETURNING pg_notify($3, job_id::text))
               SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM kept) AS "gone!""#,
            id.uuid(),
            reason,
            OUTCOMES_CHANNEL,
        )
        .fetch_one(&mut *conn)
        .await?;
        if gone > 0 {
            return Ok(Cancellation::Cancelled);
        }
        let asked = sqlx::query!(
            r#"WITH asked AS (
                 UPDATE job SET cancel_at = coalesce(cancel_at, now()) WHERE id = $1 AND claimed_by IS NOT NULL RETURNING id)
               SELECT pg_notify($2, id::text) AS told FROM asked"#,
            id.uuid(),
            CANCEL_CHANNEL,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if asked.is_some() {
            return Ok(Cancellation::Requested);
        }
    }
    Ok(Cancellation::NotFound)
}

/// Cancels those of these jobs that wait; says how many. Those that run, or that somebody else is about to change, are left alone. In the
/// caller's transaction.
///
/// # Errors
/// When the database refuses.
pub async fn cancel_waiting(conn: &mut PgConnection, ids: &[JobId], reason: &str) -> sqlx::Result<u64> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let gone = sqlx::query_scalar!(
        r#"WITH gone AS (
             DELETE FROM job WHERE id = ANY (ARRAY(
               SELECT id FROM job WHERE id = ANY ($1) AND claimed_by IS NULL FOR UPDATE SKIP LOCKED))
             RETURNING id, outcome_ttl_s, replay_of),
           errors AS (DELETE FROM job_error e USING gone WHERE e.job_id = gone.id),
           released AS (
             UPDATE dead_job d SET replay_job_id = NULL, replayed_at = NULL FROM gone
              WHERE d.id = gone.replay_of AND d.replay_job_id = gone.id),
           kept AS (
             INSERT INTO job_outcome (job_id, state, error, expires_at)
             SELECT id, 'cancelled', $2, now() + make_interval(secs => outcome_ttl_s) FROM gone WHERE outcome_ttl_s > 0
             RETURNING pg_notify($3, job_id::text))
           SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM kept) AS "gone!""#,
        &ids,
        reason,
        OUTCOMES_CHANNEL,
    )
    .fetch_one(conn)
    .await?;
    Ok(gone.unsigned_abs())
}

/// Claims nothing more from a queue until it is resumed; what runs, runs on. Says whether that is a change.
///
/// # Errors
/// When the database refuses.
pub async fn pause(conn: &mut PgConnection, queue: &str, by: &str) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "INSERT INTO queue_control (queue, paused_at, paused_by) VALUES ($1, now(), $2)
         ON CONFLICT (queue) DO UPDATE SET paused_at = now(), paused_by = $2 WHERE queue_control.paused_at IS NULL",
        queue,
        by,
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Lets a paused queue run again and wakes its workers. Says whether that is a change.
///
/// # Errors
/// When the database refuses.
pub async fn resume(conn: &mut PgConnection, queue: &str) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "WITH resumed AS (
           UPDATE queue_control SET paused_at = NULL, paused_by = NULL WHERE queue = $1 AND paused_at IS NOT NULL
           RETURNING queue)
         SELECT pg_notify($2, queue) AS told FROM resumed",
        queue,
        JOBS_CHANNEL,
    )
    .fetch_optional(conn)
    .await?;
    Ok(changed.is_some())
}
