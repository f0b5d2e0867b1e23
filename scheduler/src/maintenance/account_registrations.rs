//! Registrations of cloud accounts that are over: what is left of their credentials, and in the end their rows.

use jobs::db::account_registration::{self, Swept};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Nearly always the job itself has forgotten the credential; one whose job died with its worker shall not stay long.
const EVERY: Duration = Duration::from_mins(1);

/// Runs until `stop`.
pub async fn service(pool: PgPool, stop: CancellationToken) {
    super::repeat("account_registrations", EVERY, &stop, || run_once(&pool)).await;
}

/// Forgets them; how many.
///
/// # Errors
/// The database's.
pub async fn run_once(pool: &PgPool) -> sqlx::Result<Swept> {
    let mut conn = pool.acquire().await?;
    account_registration::sweep(&mut conn).await
}
