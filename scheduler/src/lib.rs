//! The scheduler: what is due because time has passed, rather than because somebody asked.
//!
//! Any number of schedulers may run, and none is the leader: every service does its work in statements that find nothing left
//! to do when another has been there first.

pub mod firing;
pub mod maintenance;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Fires schedules and runs every maintenance service until `stop`. What maintenance is in the middle of by then is rolled back, and done by
/// whoever comes next. A database that
/// goes away is waited for.
pub async fn run(pool: PgPool, maintenance: maintenance::Services, stop: CancellationToken) {
    let mut services = JoinSet::new();
    services.spawn(firing::service(pool, stop.clone()));
    maintenance.spawn(&mut services, &stop);
    while let Some(ended) = services.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a service broke off");
        }
    }
}
