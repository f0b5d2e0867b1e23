//! Jobs of lost workers, outcomes that nobody asks for any more, and counters that count nothing.
//!
//! Workers do the same beside their jobs, so that a fleet without a scheduler loses nothing; this is for the time when the last of them is
//! the lost one, and so that a job is not rescued the later the busier the workers are.

use jobs::db::batches::{Pace, in_batches};
use jobs::queue::{self, expire_outcomes, limit};
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The rescuer's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs.
    pub every: Duration,
    /// Silence after which a worker is lost, 10 s to an hour; the same as the workers'.
    pub lease: Duration,
    /// Of expired outcomes. Few in a run: a rescue does not wait for them for long.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            lease: queue::Config::default().lease,
            batches: Batches { most: 20, ..Batches::default() },
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Workers given up.
    pub workers: u64,
    /// Their jobs that will be tried again.
    pub requeued: u64,
    /// Their jobs that had no attempt left, or were to be cancelled.
    pub ended: u64,
    /// Outcomes forgotten.
    pub outcomes: u64,
    /// Counters of limits forgotten.
    pub slots: u64,
    /// Whether there are more of those outcomes.
    pub has_more: bool,
}

impl Counts for Rescued {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        let Self { workers, requeued, ended, outcomes, slots, .. } = *self;
        vec![("workers", workers), ("requeued", requeued), ("ended", ended), ("outcomes", outcomes), ("slots", slots)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }

    /// Outcomes expire all day long.
    fn is_news(&self) -> bool {
        self.workers + self.requeued + self.ended > 0
    }
}

/// See the module.
#[derive(Debug)]
pub struct Rescuer {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl Rescuer {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        let check = Check(Self::NAME);
        check.usual(config.every, config.batches)?;
        check.seconds("lease", config.lease, (10, 60 * 60))?;
        let pace = Pace { longest: config.lease / 2, ..config.batches.pace(Self::NAME, ground) };
        Ok(Self { pool: ground.pool.clone(), config, pace })
    }
}

impl Service for Rescuer {
    const NAME: &'static str = "rescuer";
    type Counts = Rescued;

    fn every(&self) -> Duration {
        self.config.every
    }

    /// As the workers' own: a connection that died without a word must not put rescues off for longer than a lease.
    fn longest(&self) -> Duration {
        self.config.lease
    }

    async fn run_once(&self) -> Result<Rescued, Error> {
        let pool = &self.pool;
        let rescued = queue::rescue(&mut *pool.acquire().await?, self.config.lease).await?;
        let slots = limit::sweep_slots(&mut *pool.acquire().await?, self.pace.rows).await?;
        let outcomes = in_batches("outcomes", &self.pace, None, |from, most| async move {
            expire_outcomes(&mut *pool.acquire().await?, from, most).await
        });
        let outcomes = outcomes.await?;
        let count = |jobs: usize| u64::try_from(jobs).unwrap_or(u64::MAX);
        Ok(Rescued {
            workers: count(rescued.workers),
            requeued: count(rescued.requeued),
            ended: count(rescued.ended),
            outcomes: outcomes.done,
            slots,
            has_more: outcomes.has_more,
        })
    }
}
