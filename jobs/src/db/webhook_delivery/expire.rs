//! Old deliveries and attempts.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::batches::Batch;
use crate::ids::JobId;

/// Deletes up to `most` deliveries that were planned more than so many days ago, from those after `after` on. Also answers with the
/// jobs of those that were still to be sent, for the caller to end.
///
/// # Errors
/// The database's.
pub async fn expire(
    conn: &mut PgConnection,
    days: i32,
    after: Uuid,
    most: i64,
) -> sqlx::Result<(Batch<Uuid>, Vec<JobId>)> {
    let gone = sqlx::query!(
        r#"DELETE FROM webhook_delivery WHERE id = ANY (ARRAY(
             SELECT id FROM webhook_delivery WHERE id > $2 AND id < uuid_v7_floor(now() - make_interval(days => $1))
              ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED))
           RETURNING id, job_id AS "job_id: JobId", next_attempt_at IS NOT NULL AS "is_waiting!""#,
        days,
        after,
        most,
    )
    .fetch_all(conn)
    .await?;
    let waiting = gone.iter().filter(|delivery| delivery.is_waiting).map(|delivery| delivery.job_id).collect();
    let batch = Batch::of(gone.len(), most, || gone.iter().map(|delivery| delivery.id).max());
    Ok((batch, waiting))
}

/// Deletes up to `most` attempts at deliveries that were planned more than so many days ago, from those of `from` on.
///
/// # Errors
/// The database's.
pub async fn expire_attempts(conn: &mut PgConnection, days: i32, from: Uuid, most: i64) -> sqlx::Result<Batch<Uuid>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM webhook_attempt WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM webhook_attempt
            WHERE delivery_id >= $2 AND delivery_id < uuid_v7_floor(now() - make_interval(days => $1))
            ORDER BY delivery_id, number LIMIT $3 FOR UPDATE SKIP LOCKED))
         RETURNING delivery_id",
        days,
        from,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(Batch::of(gone.len(), most, || gone.iter().max().copied()))
}
