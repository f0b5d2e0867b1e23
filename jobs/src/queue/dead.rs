//! Dead letters: jobs that will not run again by themselves.
//!
//! A dead job keeps its payload, every attempt's error and why it died. A replay is a new job with a fresh budget that
//! knows its ancestor. The dead row stays until the replay succeeds; if the replay dies too, its own row takes over
//! the ancestor's errors and lineage. One replay at a time.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::signals::JOBS_CHANNEL;
use crate::ids::JobId;

/// A dead job.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadJob {
    /// The id that the job had.
    pub id: JobId,
    /// Whose it was; the nil UUID is the platform itself.
    pub tenant: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Attempts that it spent.
    pub attempt: i16,
    /// Its payload: JSON, or whatever could not be decoded. It may hold what not everybody may see.
    pub payload: String,
    /// Why it died, see [`DeathReason`](super::DeathReason).
    pub reason: String,
    /// Class of the last failure.
    pub error_class: String,
    /// Message of the last failure.
    pub error: String,
    /// Every failed attempt, oldest first.
    pub errors: Value,
    /// The dead jobs that it replayed, oldest first.
    pub lineage: Vec<Uuid>,
    /// When it died.
    pub died_at: DateTime<Utc>,
    /// The job that replays it now.
    pub replay_job_id: Option<Uuid>,
}

/// Finds a dead job.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<DeadJob>> {
    sqlx::query_as!(
        DeadJob,
        "SELECT id, tenant, kind, queue, attempt, payload, reason, error_class, error, errors, lineage, died_at,
                replay_job_id
           FROM dead_job WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// The dead job runs again, as this job.
    Enqueued(JobId),
    /// It is being replayed already, as this job.
    Running(JobId),
    /// A job with its unique key waits or runs; replaying it would do that work twice.
    Superseded,
    /// No such job is dead.
    NotDead,
}

/// Replays a dead job with a fresh budget, in the caller's transaction.
///
/// # Errors
/// When the database refuses.
pub async fn replay(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Replay> {
    let locked = sqlx::query_scalar!("SELECT replay_job_id FROM dead_job WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_optional(&mut *conn)
        .await?;
    match locked {
        None => return Ok(Replay::NotDead),
        Some(Some(running)) => return Ok(Replay::Running(JobId::from(running))),
        Some(None) => {}
    }
    let new = JobId::new();
    let enqueued = sqlx::query!(
        r#"WITH new AS (
             INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, unique_key, concurrency_group,
                              request_id, trace_parent, replay_of)
             SELECT $2, tenant, priority, max_attempts, kind, queue, payload, unique_key, concurrency_group,
                    request_id, trace_parent, id
               FROM dead_job WHERE id = $1
             ON CONFLICT (kind, tenant, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
             RETURNING id, queue, replay_of),
           marked AS (
             UPDATE dead_job d SET replay_job_id = new.id, replayed_at = now() FROM new WHERE d.id = new.replay_of)
           SELECT pg_notify($3, queue) AS told FROM new"#,
        id.uuid(),
        new.uuid(),
        JOBS_CHANNEL,
    )
    .fetch_optional(conn)
    .await?;
    Ok(if enqueued.is_some() { Replay::Enqueued(new) } else { Replay::Superseded })
}
