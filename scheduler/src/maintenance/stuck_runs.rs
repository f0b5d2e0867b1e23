//! Scans and drift computations whose job is gone: it died with its worker, or was cancelled while it waited. Somebody polls
//! them, and would for ever.

use jobs::db::batches::{Pace, in_batches};
use jobs::scans::{Reconciled, reconcile_stuck_runs};
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. A lost job is rescued after 30 s of silence; soon after its end its run should end, too.
    pub every: Duration,
    /// Of runs; each is an event with its deliveries.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_secs(15), batches: Batches { rows: 100, ..Batches::default() } }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Scans and drift computations that ended in error.
    pub runs: Reconciled,
    /// Whether there are more.
    pub has_more: bool,
}

impl Counts for Ended {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("scans", self.runs.scans), ("drifts", self.runs.drifts)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct StuckRuns {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl StuckRuns {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for StuckRuns {
    const NAME: &'static str = "stuck_runs";
    type Counts = Ended;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Ended, Error> {
        let pool = &self.pool;
        let ended = in_batches("runs", &self.pace, (), |(), most| async move {
            let mut tx = pool.begin().await?;
            let batch = reconcile_stuck_runs(&mut tx, most).await?;
            tx.commit().await?;
            Ok::<_, Error>(batch)
        });
        let ended = ended.await?;
        Ok(Ended { runs: ended.done, has_more: ended.has_more })
    }
}
