//! Webhook endpoints that have failed for too long and get no more attempts: nothing new happens, and all that was to be sent has been given
//! up. Those that do get attempts are disabled by whoever writes down the next one that fails.

use jobs::db::batches::{Batch, Pace, in_batches};
use jobs::webhooks::endpoint;
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs.
    pub every: Duration,
    /// Endpoints of one run, 1 to 10,000; each is a transaction with its event and its row of the audit chain.
    pub most: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_mins(10), most: 1_000 }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disabled {
    /// Endpoints that were disabled.
    pub endpoints: u64,
    /// Whether there may be more.
    pub has_more: bool,
}

impl Counts for Disabled {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("endpoints", self.endpoints)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct WebhookEndpoints {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl WebhookEndpoints {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        let check = Check(Self::NAME);
        check.every(config.every)?;
        check.number("most", config.most.into(), (1, 10_000))?;
        // One after the other: two audit chains must not be locked by one transaction.
        let pace = Batches { rows: 1, most: config.most }.pace(Self::NAME, ground);
        Ok(Self { pool: ground.pool.clone(), config, pace })
    }
}

impl Service for WebhookEndpoints {
    const NAME: &'static str = "webhook_endpoints";
    type Counts = Disabled;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Disabled, Error> {
        let pool = &self.pool;
        let disabled = in_batches("endpoints", &self.pace, (), |(), _| async move {
            let mut tx = pool.begin().await?;
            let disabled = endpoint::disable_overdue(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, Error>(Batch { done: u64::from(disabled.is_some()), next: disabled.map(|_| ()) })
        });
        let disabled = disabled.await?;
        Ok(Disabled { endpoints: disabled.done, has_more: disabled.has_more })
    }
}
