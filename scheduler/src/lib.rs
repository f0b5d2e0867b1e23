//! The scheduler: what is due because time has passed, rather than because somebody asked.
//!
//! Any number of schedulers may run, and none is the leader: every service does its work in statements that find nothing left
//! to do when another has been there first.

pub mod firing;
pub mod maintenance;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs every service until `stop`; what was begun is finished. A database that goes away is waited for.
pub async fn run(pool: PgPool, stop: CancellationToken) {
    let mut services = JoinSet::new();
    services.spawn(firing::service(pool.clone(), stop.clone()));
    services.spawn(maintenance::stuck_runs::service(pool.clone(), stop.clone()));
    services.spawn(maintenance::idempotency_keys::service(pool.clone(), stop.clone()));
    services.spawn(maintenance::webhook_deliveries::service(pool.clone(), stop.clone()));
    services.spawn(maintenance::account_registrations::service(pool, stop));
    while let Some(ended) = services.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a service broke off");
        }
    }
}
