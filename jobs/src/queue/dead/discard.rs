//! Giving dead jobs up.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Locked, lock};
use crate::ids::JobId;

/// What discarding did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discard {
    /// It is gone.
    Discarded(Discarded),
    /// It is being replayed, as this job: cancel that first.
    Running(JobId),
    /// It is not dead: it waits or runs.
    Alive,
    /// No such job is dead.
    NotDead,
}

/// What is remembered of a dead job that was discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// The id that it had.
    pub id: JobId,
    /// Whose it was; the nil UUID is the platform itself.
    pub tenant: Uuid,
    /// Its kind.
    pub kind: String,
    /// Why it had died.
    pub reason: String,
    /// Class of its last failure.
    pub error_class: String,
    /// When it had died.
    pub died_at: DateTime<Utc>,
}

/// Deletes a dead job for good, in the caller's transaction. Batches that still count on it are told.
///
/// # Errors
/// When the database refuses.
pub async fn discard(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Discard> {
    match lock(conn, id).await? {
        Locked::Dead => {}
        Locked::BeingReplayed(replay) => return Ok(Discard::Running(replay)),
        Locked::Alive => return Ok(Discard::Alive),
        Locked::Absent => return Ok(Discard::NotDead),
    }
    let discarded = sqlx::query_as!(
        Discarded,
        "WITH gone AS (
           DELETE FROM dead_job WHERE id = $1 RETURNING id, tenant, kind, reason, error_class, died_at),
         told AS (
           UPDATE replay_batch_item i SET skipped = 'discarded' FROM replay_batch b, gone
            WHERE b.finished_at IS NULL AND i.batch_id = b.id AND i.dead_job_id = gone.id AND i.replay_job_id IS NULL
              AND i.skipped IS NULL)
         SELECT id, tenant, kind, reason, error_class, died_at FROM gone",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(discarded.map_or(Discard::NotDead, Discard::Discarded))
}
