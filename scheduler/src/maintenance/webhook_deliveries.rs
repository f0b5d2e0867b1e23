//! Webhook deliveries whose job is dead and that do not say so: their worker was lost, or their handler, during the last attempt.

use jobs::db::webhook_delivery;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A lost job is rescued after 30 s of silence; soon after its end its delivery should end, too.
const EVERY: Duration = Duration::from_secs(15);

/// Runs until `stop`.
pub async fn service(pool: PgPool, stop: CancellationToken) {
    super::repeat("webhook_deliveries", EVERY, &stop, || run_once(&pool)).await;
}

/// Gives them up; how many.
///
/// # Errors
/// The database's; then nothing has changed.
pub async fn run_once(pool: &PgPool) -> sqlx::Result<u64> {
    let mut conn = pool.acquire().await?;
    webhook_delivery::reconcile(&mut conn).await
}
