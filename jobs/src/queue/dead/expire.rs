//! Forgetting the dead whose time is over.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::Duration;

use sqlx::PgConnection;

use crate::kinds::DEAD_RETENTION;

/// Dead jobs deleted in one statement.
const AT_ONCE: i64 = 1_000;

/// Deletes dead jobs that are older than their kind's retention, kinds that are not in `retentions` after the default one;
/// says how many. One that is being replayed stays until that has ended. Any process may do it at any time.
///
/// # Errors
/// When the database refuses; what was deleted until then stays deleted.
pub async fn expire<S: BuildHasher>(
    conn: &mut PgConnection,
    retentions: &HashMap<&'static str, Duration, S>,
) -> sqlx::Result<u64> {
    // The kinds there are, by hops through their index: so that each kind's oldest are found at one end of it, whatever
    // the others keep.
    let kinds = sqlx::query_scalar!(
        r#"WITH RECURSIVE known AS (
             (SELECT kind FROM dead_job ORDER BY kind LIMIT 1)
             UNION ALL
             SELECT (SELECT d.kind FROM dead_job d WHERE d.kind > k.kind ORDER BY d.kind LIMIT 1)
               FROM known k WHERE k.kind IS NOT NULL)
           SELECT kind AS "kind!" FROM known WHERE kind IS NOT NULL"#
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut total = 0;
    for kind in kinds {
        let retention = retentions.get(kind.as_str()).copied().unwrap_or(DEAD_RETENTION);
        loop {
            let expired = delete_oldest(conn, &kind, retention).await?;
            total += expired;
            if expired < AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(total)
}

async fn delete_oldest(conn: &mut PgConnection, kind: &str, retention: Duration) -> sqlx::Result<u64> {
    let deleted = sqlx::query_scalar!(
        r#"WITH gone AS (
             DELETE FROM dead_job WHERE id IN (
               SELECT id FROM dead_job
                WHERE kind = $1 AND died_at < now() - make_interval(secs => $2) AND replay_job_id IS NULL
                ORDER BY died_at LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING id),
           told AS (
             UPDATE replay_batch_item i SET skipped = 'expired' FROM replay_batch b, gone
              WHERE b.finished_at IS NULL AND i.batch_id = b.id AND i.dead_job_id = gone.id AND i.replay_job_id IS NULL
                AND i.skipped IS NULL)
           SELECT count(*) AS "deleted!" FROM gone"#,
        kind,
        retention.as_secs_f64(),
        AT_ONCE,
    )
    .fetch_one(conn)
    .await?;
    Ok(deleted.unsigned_abs())
}
