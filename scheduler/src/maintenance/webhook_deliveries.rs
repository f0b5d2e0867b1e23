//! Webhook deliveries whose job is dead and that do not say so: their worker was lost, or their handler, during the last attempt.

use jobs::db::batches::{Batch, Pace, in_batches};
use jobs::db::webhook_delivery;
use sqlx::PgPool;
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. A lost job is rescued after 30 s of silence; soon after its end its delivery should end, too.
    pub every: Duration,
    /// Of deliveries.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_secs(15), batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Deliveries that were given up.
    pub deliveries: u64,
    /// Whether there are more.
    pub has_more: bool,
}

impl Counts for GivenUp {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("deliveries", self.deliveries)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct WebhookDeliveries {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl WebhookDeliveries {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        Ok(Self { pool: ground.pool.clone(), config, pace: config.batches.pace(Self::NAME, ground) })
    }
}

impl Service for WebhookDeliveries {
    const NAME: &'static str = "webhook_deliveries";
    type Counts = GivenUp;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<GivenUp, Error> {
        let pool = &self.pool;
        let given_up = in_batches("deliveries", &self.pace, (), |(), most| async move {
            let done = webhook_delivery::reconcile(&mut *pool.acquire().await?, most).await?;
            let next = (done >= most.unsigned_abs()).then_some(());
            Ok::<_, Error>(Batch { done, next })
        });
        let given_up = given_up.await?;
        Ok(GivenUp { deliveries: given_up.done, has_more: given_up.has_more })
    }
}
