//! Registrations of cloud accounts that are over: what is left of their credentials, and in the end their rows.

use jobs::db::account_registration::{self, Swept};
use jobs::db::batches::{Pace, in_batches};
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. Nearly always the job itself has forgotten the credential; one whose job died with its worker shall not stay long.
    pub every: Duration,
    /// Of registrations.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_mins(1), batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// What was forgotten.
    pub swept: Swept,
    /// Whether there is more.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("credentials", self.swept.credentials), ("registrations", self.swept.registrations)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct AccountRegistrations {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl AccountRegistrations {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for AccountRegistrations {
    const NAME: &'static str = "account_registrations";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let pool = &self.pool;
        let swept = in_batches("registrations", &self.pace, (), |(), most| async move {
            account_registration::sweep(&mut *pool.acquire().await?, most).await
        });
        let swept = swept.await?;
        Ok(Forgotten { swept: swept.done, has_more: swept.has_more })
    }
}
