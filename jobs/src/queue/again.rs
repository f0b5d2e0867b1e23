//! Running jobs again on somebody's word, whatever has become of them: they wait for their next attempt, they are dead, or they
//! have ended. Only what runs just now is left alone.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::dead::enqueue_again;
use super::signals::JOBS_CHANNEL;
use crate::ids::JobId;

/// What became of a job that shall run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It waited: it runs now, with a fresh budget.
    Now,
    /// It was dead: this job replays it.
    Replayed(JobId),
    /// It runs, or is about to.
    Running,
    /// It has ended and is not known any more: enqueue another.
    Gone,
}

/// Runs these jobs again, in the caller's transaction, with `priority` where they waited. The answers stand in the same order.
///
/// Locks the jobs that wait and then the dead, each in the order of their ids; it waits for no claim.
///
/// # Errors
/// When the database refuses.
pub async fn run_again(conn: &mut PgConnection, jobs: &[JobId], priority: i16) -> sqlx::Result<Vec<Again>> {
    let ids: Vec<Uuid> = jobs.iter().map(|id| id.uuid()).collect();
    // One that a claim is just taking is locked by it, and left to it.
    let waiting: HashSet<Uuid> = sqlx::query_scalar!(
        r#"WITH waiting AS MATERIALIZED (
             SELECT id FROM job WHERE id = ANY($1) AND claimed_by IS NULL ORDER BY id FOR UPDATE SKIP LOCKED),
           errors AS (DELETE FROM job_error e USING waiting w WHERE e.job_id = w.id),
           now_due AS (
             UPDATE job j SET run_at = least(j.run_at, now()), attempt = 0, priority = $2 FROM waiting w WHERE j.id = w.id
             RETURNING j.id, j.queue)
           SELECT id FROM now_due, LATERAL (SELECT pg_notify($3, queue)) told"#,
        &ids,
        priority,
        JOBS_CHANNEL,
    )
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let rest: Vec<Uuid> = ids.iter().filter(|id| !waiting.contains(id)).copied().collect();
    let (running, replayed) = if rest.is_empty() {
        (HashSet::new(), HashMap::new())
    } else {
        let running: HashSet<Uuid> = sqlx::query_scalar!("SELECT id FROM job WHERE id = ANY($1)", &rest)
            .fetch_all(&mut *conn)
            .await?
            .into_iter()
            .collect();
        let dead = sqlx::query_scalar!(
            "SELECT id FROM dead_job WHERE id = ANY($1) AND replay_job_id IS NULL ORDER BY id FOR UPDATE",
            &rest,
        )
        .fetch_all(&mut *conn)
        .await?;
        let replayed = enqueue_again(conn, &dead).await?;
        (running, replayed.into_iter().map(|job| (job.dead_id.uuid(), job.id)).collect())
    };
    let fate = |id: &Uuid| {
        if waiting.contains(id) {
            Again::Now
        } else if running.contains(id) {
            Again::Running
        } else {
            replayed.get(id).map_or(Again::Gone, |job| Again::Replayed(*job))
        }
    };
    Ok(ids.iter().map(fate).collect())
}
