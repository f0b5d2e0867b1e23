//! Scans and drift computations whose job is gone: it died with its worker, or was cancelled while it waited. Somebody polls
//! them, and would for ever.

use jobs::scans::{Reconciled, reconcile_stuck_runs};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A lost job is rescued after 30 s of silence; soon after its end its run should end, too.
const EVERY: Duration = Duration::from_secs(15);

/// Runs until `stop`.
pub async fn service(pool: PgPool, stop: CancellationToken) {
    super::repeat("stuck_runs", EVERY, &stop, || run_once(&pool)).await;
}

/// Ends such runs in error; how many.
///
/// # Errors
/// The database's; then nothing has changed.
pub async fn run_once(pool: &PgPool) -> sqlx::Result<Reconciled> {
    let mut tx = pool.begin().await?;
    let reconciled = reconcile_stuck_runs(&mut tx).await?;
    tx.commit().await?;
    Ok(reconciled)
}
