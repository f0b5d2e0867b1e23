//! Forgetting the dead whose time is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::db::batches::Batch;

/// Where to go on: at a kind, from those of a time on. By default at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    kind: Option<String>,
    died_at: Option<DateTime<Utc>>,
}

/// Deletes up to `most` dead jobs that are older than what `retention` says of their kind, of one kind: the next that has any. One that is
/// being replayed stays until that has ended. Any process may do it at any time.
///
/// # Errors
/// When the database refuses.
pub async fn expire(
    conn: &mut PgConnection,
    retention: impl Fn(&str) -> Duration + Send,
    from: Place,
    most: i64,
) -> sqlx::Result<Batch<Place>> {
    let Place { kind, mut died_at } = from;
    let mut next = match kind {
        Some(kind) => Some(kind),
        None => kind_after(conn, "").await?,
    };
    while let Some(kind) = next {
        let (done, last) = delete_oldest(conn, &kind, retention(&kind), (died_at, most)).await?;
        if done >= most.unsigned_abs() {
            return Ok(Batch { done, next: Some(Place { kind: Some(kind), died_at: last }) });
        }
        next = kind_after(conn, &kind).await?;
        died_at = None;
        if done > 0 {
            return Ok(Batch { done, next: next.map(|kind| Place { kind: Some(kind), died_at }) });
        }
    }
    Ok(Batch { done: 0, next: None })
}

/// The next kind that has dead jobs, by a hop through their index: so that each kind's oldest are found at one end of it, whatever
/// the others keep.
async fn kind_after(conn: &mut PgConnection, kind: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT kind FROM dead_job WHERE kind > $1 ORDER BY kind LIMIT 1", kind)
        .fetch_optional(conn)
        .await
}

async fn delete_oldest(
    conn: &mut PgConnection,
    kind: &str,
    retention: Duration,
    (from, most): (Option<DateTime<Utc>>, i64),
) -> sqlx::Result<(u64, Option<DateTime<Utc>>)> {
    let deleted = sqlx::query!(
        r#"WITH gone AS (
             DELETE FROM dead_job WHERE id = ANY (ARRAY(
               SELECT id FROM dead_job
                WHERE kind = $1 AND died_at < now() - make_interval(secs => $2) AND died_at >= coalesce($3::timestamptz, '-infinity')
                  AND replay_job_id IS NULL
                ORDER BY died_at LIMIT $4 FOR UPDATE SKIP LOCKED))
             RETURNING id, died_at),
           told AS (
             UPDATE replay_batch_item i SET skipped = 'expired' FROM replay_batch b, gone
              WHERE b.finished_at IS NULL AND i.batch_id = b.id AND i.dead_job_id = gone.id AND i.replay_job_id IS NULL
                AND i.skipped IS NULL)
           SELECT count(*) AS "deleted!", max(died_at) AS last FROM gone"#,
        kind,
        retention.as_secs_f64(),
        from,
        most,
    )
    .fetch_one(conn)
    .await?;
    Ok((deleted.deleted.unsigned_abs(), deleted.last))
}
