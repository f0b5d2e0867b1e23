//! What became of schedules' firings, once nobody looks that far back.

use jobs::db::batches::{Pace, in_batches};
use jobs::db::schedule;
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs.
    pub every: Duration,
    /// How long firings are kept, in days, 1 to 3,650.
    pub days: u16,
    /// Of firings.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_hours(1), days: 90, batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Firings.
    pub firings: u64,
    /// Whether there are more.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("firings", self.firings)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct ScheduleFirings {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl ScheduleFirings {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        let check = Check(Self::NAME);
        check.usual(config.every, config.batches)?;
        check.days("days", config.days)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for ScheduleFirings {
    const NAME: &'static str = "schedule_firings";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let (pool, days) = (&self.pool, i32::from(self.config.days));
        let expired = in_batches("firings", &self.pace, None, |from, most| async move {
            schedule::expire_firings(&mut *pool.acquire().await?, days, from, most).await
        });
        let expired = expired.await?;
        Ok(Forgotten { firings: expired.done, has_more: expired.has_more })
    }
}
