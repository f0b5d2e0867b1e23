//! Forgetting old deliveries, and what still waits to be sent of them.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::batches::Batch;
use crate::db::webhook_delivery;
use crate::queue::control;

/// Deletes up to `most` deliveries that were planned more than so many days ago, from those after `after` on. Those that were still to be
/// sent, of an endpoint that has been paused ever since, say, are not sent any more: their jobs end now, or find nothing to send when
/// they come up. In a transaction.
///
/// # Errors
/// The database's.
pub async fn expire_deliveries(
    conn: &mut PgConnection,
    days: i32,
    after: Uuid,
    most: i64,
) -> sqlx::Result<Batch<Uuid>> {
    let (batch, waiting) = webhook_delivery::expire(conn, days, after, most).await?;
    if !waiting.is_empty() {
        control::cancel_waiting(conn, &waiting, "the delivery, or its event, is forgotten").await?;
    }
    Ok(batch)
}
