//! Idempotency keys whose 24 hours are over.

use jobs::db::idempotency;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An expired key already counts as absent; this only gives back its place.
const EVERY: Duration = Duration::from_mins(10);

/// Runs until `stop`.
pub async fn service(pool: PgPool, stop: CancellationToken) {
    super::repeat("idempotency_keys", EVERY, &stop, || run_once(&pool)).await;
}

/// Forgets them; how many.
///
/// # Errors
/// The database's.
pub async fn run_once(pool: &PgPool) -> sqlx::Result<u64> {
    let mut conn = pool.acquire().await?;
    idempotency::sweep(&mut conn).await
}
