//! Batches that nobody works on any more, and those that nobody asks for.

use sqlx::PgConnection;

use crate::ids::ReplayBatchId;
use crate::kinds::Job as _;
use crate::kinds::replay_dead_jobs::ReplayDeadJobs;

/// Items deleted in one statement.
const AT_ONCE: i64 = 10_000;

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

/// Forgets batches that ended a month ago; says how many.
///
/// # Errors
/// When the database refuses; what was deleted until then stays deleted.
pub async fn expire(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let old = sqlx::query_scalar!("SELECT id FROM replay_batch WHERE finished_at < now() - interval '30 days'")
        .fetch_all(&mut *conn)
        .await?;
    for id in &old {
        loop {
            let deleted = sqlx::query!(
                "DELETE FROM replay_batch_item WHERE batch_id = $1 AND dead_job_id IN
                   (SELECT dead_job_id FROM replay_batch_item WHERE batch_id = $1 LIMIT $2)",
                id,
                AT_ONCE,
            )
            .execute(&mut *conn)
            .await?;
            if deleted.rows_affected() == 0 {
                break;
            }
        }
    }
    let forgotten = sqlx::query!("DELETE FROM replay_batch WHERE id = ANY($1)", &old).execute(conn).await?;
    Ok(forgotten.rows_affected())
}
