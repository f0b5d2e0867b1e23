//! Dead jobs past their kind's retention ([`jobs::kinds::dead_retention`]), batches of replays that ended a month ago, and open batches
//! that nobody works on any more.

use jobs::db::batches::{Pace, in_batches};
use jobs::dead_letters::cancel_abandoned;
use jobs::kinds::dead_retention;
use jobs::queue::{dead, replay_batch};
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings. How long dead jobs are kept is their kind's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. Somebody may be watching a batch whose job was cancelled.
    pub every: Duration,
    /// Of dead jobs, and of batches' items.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_secs(15), batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookedAfter {
    /// Dead jobs that were forgotten.
    pub dead_jobs: u64,
    /// Batches that were forgotten.
    pub batches: u64,
    /// Their items.
    pub items: u64,
    /// Batches that were cancelled because their job was gone.
    pub cancelled: u64,
    /// Whether there is more to forget.
    pub has_more: bool,
}

impl Counts for LookedAfter {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        let Self { dead_jobs, batches, items, cancelled, .. } = *self;
        vec![("dead_jobs", dead_jobs), ("batches", batches), ("items", items), ("cancelled", cancelled)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct DeadLetters {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl DeadLetters {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for DeadLetters {
    const NAME: &'static str = "dead_letters";
    type Counts = LookedAfter;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<LookedAfter, Error> {
        let pool = &self.pool;
        // First, because somebody may be waiting for it, and the rest may take a minute.
        let mut tx = pool.begin().await?;
        let cancelled = cancel_abandoned(&mut tx).await?;
        tx.commit().await?;
        let dead = in_batches("dead_jobs", &self.pace, dead::Place::default(), |from, most| async move {
            dead::expire(&mut *pool.acquire().await?, dead_retention, from, most).await
        });
        let dead = dead.await?;
        let batches = in_batches("items", &self.pace, (), |(), most| async move {
            let mut tx = pool.begin().await?;
            let batch = replay_batch::expire(&mut tx, most).await?;
            tx.commit().await?;
            Ok::<_, Error>(batch)
        });
        let batches = batches.await?;
        Ok(LookedAfter {
            dead_jobs: dead.done,
            batches: batches.done.batches,
            items: batches.done.items,
            cancelled: u64::try_from(cancelled).unwrap_or(u64::MAX),
            has_more: dead.has_more || batches.has_more,
        })
    }
}
