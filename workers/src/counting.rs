//! What a worker process tells operators of the queue: it flushes its counters, and takes its turn at the census.

use std::sync::Arc;
use std::time::Duration;

use jobs::queue::minutes::{self, Counts};
use jobs::queue::{Shared, census};
use sqlx::{PgConnection, PgPool};

/// Flushes the counters with every heartbeat; what could not be written is written with the next.
pub(crate) async fn keep_counting(shared: Shared, counts: Vec<Arc<Counts>>) {
    loop {
        tokio::time::sleep(shared.config.beat_every).await;
        flush(&shared.pool, &counts, shared.config.lease).await;
    }
}

/// Flushes the counters, for no longer than `patience`.
pub(crate) async fn flush(pool: &PgPool, counts: &[Arc<Counts>], patience: Duration) {
    match tokio::time::timeout(patience, minutes::flush(pool, counts)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "counters could not be written, trying again"),
        Err(_) => tracing::warn!("writing counters was not answered, trying again"),
    }
}

/// Forgets old minutes, and takes the census when it is due.
pub(crate) async fn look_after(conn: &mut PgConnection) -> sqlx::Result<()> {
    minutes::expire(conn).await?;
    census::take(conn).await.map(|_| ())
}
