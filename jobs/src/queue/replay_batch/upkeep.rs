//! Batches that nobody works on any more, and those that nobody asks for.

use std::ops::AddAssign;

use sqlx::PgConnection;

use crate::db::batches::Batch;
use crate::ids::ReplayBatchId;
use crate::kinds::Job as _;
use crate::kinds::replay_dead_jobs::ReplayDeadJobs;

/// What [`expire`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Batches.
    pub batches: u64,
    /// Their items.
    pub items: u64,
}

impl AddAssign for Forgotten {
    fn add_assign(&mut self, more: Self) {
        self.batches += more.batches;
        self.items += more.items;
    }
}

/// Open batches whose job is gone: somebody cancelled it, or it died and was discarded. A job that is dead is not gone, since
/// its replay goes on with the batch.
///
/// # Errors
/// When the database refuses.
pub async fn abandoned(conn: &mut PgConnection) -> sqlx::Result<Vec<ReplayBatchId>> {
    let ids = sqlx::query_scalar!(
        "SELECT b.id FROM replay_batch b
          WHERE b.finished_at IS NULL
            AND NOT EXISTS (SELECT FROM job j
                             WHERE j.kind = $1 AND j.tenant = '00000000-0000-0000-0000-000000000000'
                               AND j.unique_key = b.id::text)
            AND NOT EXISTS (SELECT FROM dead_job d
                             WHERE d.kind = $1 AND d.tenant = '00000000-0000-0000-0000-000000000000'
                               AND d.unique_key = b.id::text)",
        ReplayDeadJobs::KIND,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ReplayBatchId::from).collect())
}

/// Forgets up to `most` items of the batch that ended first, if that was a month ago or more, and with the last of them the batch.
/// In a transaction, which keeps others away from it.
///
/// # Errors
/// When the database refuses.
pub async fn expire(conn: &mut PgConnection, most: i64) -> sqlx::Result<Batch<(), Forgotten>> {
    let old = sqlx::query_scalar!(
        "SELECT id FROM replay_batch WHERE finished_at < now() - interval '30 days'
          ORDER BY finished_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(id) = old else {
        return Ok(Batch { done: Forgotten::default(), next: None });
    };
    let items = sqlx::query!(
        "DELETE FROM replay_batch_item WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM replay_batch_item WHERE batch_id = $1 LIMIT $2))",
        id,
        most,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let mut done = Forgotten { batches: 0, items };
    if items < most.unsigned_abs() {
        done.batches = sqlx::query!("DELETE FROM replay_batch WHERE id = $1", id).execute(conn).await?.rows_affected();
    }
    Ok(Batch { done, next: Some(()) })
}
