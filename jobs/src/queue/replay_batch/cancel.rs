//! Stopping a batch.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{ReplayBatch, get};
use crate::ids::{JobId, ReplayBatchId};
use crate::kinds::Job as _;
use crate::kinds::replay_dead_jobs::ReplayDeadJobs;
use crate::queue::control;

/// What cancelling did.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelling {
    /// It is over; what it replayed stays so.
    Cancelled(Box<ReplayBatch>),
    /// It was done or cancelled before.
    Over(Box<ReplayBatch>),
    /// There is no such batch.
    Absent,
}

/// Cancels a batch and its job, in the caller's transaction: nothing is replayed after it.
///
/// # Errors
/// When the database refuses.
pub async fn cancel(conn: &mut PgConnection, id: ReplayBatchId) -> sqlx::Result<Cancelling> {
    // The job first, as its handler has it locked while it replays a slice.
    let job = sqlx::query_scalar!(
        "SELECT id FROM job WHERE kind = $1 AND tenant = $2 AND unique_key = $3",
        ReplayDeadJobs::KIND,
        Uuid::nil(),
        id.to_string(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(job) = job {
        control::cancel(conn, JobId::from(job), "the batch was cancelled").await?;
    }
    let cancelled = sqlx::query!(
        "UPDATE replay_batch SET state = 'cancelled', finished_at = now() WHERE id = $1 AND finished_at IS NULL",
        id.uuid(),
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    Ok(match get(conn, id).await? {
        Some(batch) if cancelled > 0 => Cancelling::Cancelled(Box::new(batch)),
        Some(batch) => Cancelling::Over(Box::new(batch)),
        None => Cancelling::Absent,
    })
}
