//! Cleaning up after the dead and the done. A service is a file: its [`Config`](config), checked when it is made, and a `run_once` that
//! says what it did. The loop around it and its metrics are here, the same for all ([`repeat`]).
//!
//! What deletes does so in small batches with pauses between them, and the services of one process take turns at it
//! ([`jobs::db::batches`]): the first run after years without retention costs the queue no more than a usual one, it only ends later.
//!
//! One more: a file, a line in [`Services`], its tests in `tests/it/maintenance`, its line in `docs/operations.md`.

pub mod account_registrations;
pub mod artifacts;
pub mod config;
pub mod dead_letters;
pub mod events;
pub mod idempotency_keys;
pub mod rescuer;
pub mod scans;
pub mod schedule_firings;
mod services;
pub mod stuck_runs;
pub mod webhook_deliveries;
pub mod webhook_endpoints;

pub use config::{Batches, InvalidConfig};
pub use services::{Services, Settings};

use jobs::audit::AppendError;
use jobs::db::batches::Turn;
use jobs::retry::{Pauses, jittered};
use jobs::webhooks::endpoint::ChangeError;
use sqlx::PgPool;
use std::fmt::Debug;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Before a run goes on that ended before all was done.
const BREATH: Duration = Duration::from_millis(100);

/// A run may take this long; then its connection has died without a word, or it would have ended by itself.
const LONGEST: Duration = Duration::from_mins(10);

/// What services stand on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Connections.
    pub pool: PgPool,
    /// Whose batch it is.
    pub turn: Turn,
}

impl Ground {
    /// For the services of one process.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, turn: Turn::default() }
    }
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused, or was not to be had.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The audit chain could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
    /// An endpoint could not be changed.
    #[error(transparent)]
    Endpoint(#[from] ChangeError),
    /// The artifact store refused, or was not to be had.
    #[error(transparent)]
    Artifacts(#[from] jobs::artifacts::Error),
}

/// What a run did; its default is nothing.
pub trait Counts: Debug + Default + PartialEq + Send {
    /// How many of what, by the names that stand in the metrics.
    fn rows(&self) -> Vec<(&'static str, u64)>;

    /// Whether the run ended before all was done: then the next one begins at once.
    fn has_more(&self) -> bool {
        false
    }

    /// Whether it is worth a line in the log.
    fn is_news(&self) -> bool {
        *self != Self::default()
    }
}

/// A maintenance service.
pub trait Service: Send + Sync + 'static {
    /// Its name, in logs and metrics.
    const NAME: &'static str;

    /// What a run did.
    type Counts: Counts;

    /// Between two runs.
    fn every(&self) -> Duration;

    /// How long a run may take before it is given up.
    fn longest(&self) -> Duration {
        LONGEST
    }

    /// Does what there is to do, or a bounded part of it. May be called by any number of processes at once, and dropped at any time: what
    /// belongs together is done in one transaction.
    ///
    /// # Errors
    /// See [`Error`]; what was done before stays done.
    fn run_once(&self) -> impl Future<Output = Result<Self::Counts, Error>> + Send;
}

/// Repeats a service until `stop`: every so often, jittered, so that several schedulers do not come at the same moment; at once where there
/// is more to do; after an error with the pauses of whoever waits for a database.
pub async fn repeat<S: Service>(service: S, stop: CancellationToken) {
    let mut pauses = Pauses::default();
    loop {
        let begun = Instant::now();
        let run = tokio::time::timeout(service.longest(), service.run_once());
        let Some(run) = stop.run_until_cancelled(run).await else { return };
        metrics::histogram!("plumbline_maintenance_seconds", "service" => S::NAME)
            .record(begun.elapsed().as_secs_f64());
        let pause = match run {
            Ok(Ok(counts)) => {
                succeeded::<S>(&counts);
                pauses.reset();
                if counts.has_more() { BREATH } else { jittered(service.every()) }
            }
            Ok(Err(error)) => {
                failed::<S>();
                tracing::warn!(service = S::NAME, %error, "maintenance failed, trying again");
                pauses.next_pause()
            }
            Err(_) => {
                failed::<S>();
                tracing::warn!(service = S::NAME, longest = ?service.longest(), "maintenance was not answered, trying again");
                pauses.next_pause()
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

fn succeeded<S: Service>(counts: &S::Counts) {
    metrics::counter!("plumbline_maintenance_runs_total", "service" => S::NAME, "outcome" => "ok").increment(1);
    for (what, rows) in counts.rows() {
        metrics::counter!("plumbline_maintenance_rows_total", "service" => S::NAME, "what" => what).increment(rows);
    }
    if counts.is_news() {
        tracing::info!(service = S::NAME, done = ?counts, "maintained");
    }
}

fn failed<S: Service>() {
    metrics::counter!("plumbline_maintenance_runs_total", "service" => S::NAME, "outcome" => "error").increment(1);
}
