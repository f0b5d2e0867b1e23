//! Idempotency keys whose 24 hours are over.

use jobs::db::batches::{Pace, in_batches};
use jobs::db::idempotency;
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. An expired key already counts as absent; this only gives back its place.
    pub every: Duration,
    /// Of keys.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_mins(10), batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Keys.
    pub keys: u64,
    /// Whether there are more.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("keys", self.keys)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct IdempotencyKeys {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl IdempotencyKeys {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for IdempotencyKeys {
    const NAME: &'static str = "idempotency_keys";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let pool = &self.pool;
        let swept = in_batches("keys", &self.pace, None, |from, most| async move {
            idempotency::sweep(&mut *pool.acquire().await?, from, most).await
        });
        let swept = swept.await?;
        Ok(Forgotten { keys: swept.done, has_more: swept.has_more })
    }
}
