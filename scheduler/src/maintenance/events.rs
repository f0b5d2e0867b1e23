//! Events past their days, with all that was made of them: deliveries, attempts, replays of many.
//!
//! Each table is walked along its primary key, whose ids tell when they were made. A delivery is made with its event or after it, so none
//! goes before its event would; one that a replay made late stays its own days, to be looked at. Attempts go first: whoever looks at a
//! delivery in between sees one without its log, never a log without its delivery.

use jobs::db::batches::{Pace, in_batches};
use jobs::db::{event, webhook_delivery, webhook_replay};
use jobs::webhooks::retention::expire_deliveries;
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs.
    pub every: Duration,
    /// How long events are kept and can be replayed, in days, 1 to 3,650.
    pub days: u16,
    /// Of rows of each table.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_hours(1), days: 30, batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Events.
    pub events: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Attempts at them.
    pub attempts: u64,
    /// Replays of many.
    pub replays: u64,
    /// Whether there are more of any.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        let Self { events, deliveries, attempts, replays, .. } = *self;
        vec![("events", events), ("deliveries", deliveries), ("attempts", attempts), ("replays", replays)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct Events {
    pool: PgPool,
    config: Config,
    pace: Pace,
}

impl Events {
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

impl Service for Events {
    const NAME: &'static str = "events";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let (pool, pace, days) = (&self.pool, &self.pace, i32::from(self.config.days));
        let attempts = in_batches("attempts", pace, Uuid::nil(), |from, most| async move {
            webhook_delivery::expire_attempts(&mut *pool.acquire().await?, days, from, most).await
        });
        let attempts = attempts.await?;
        let deliveries = in_batches("deliveries", pace, Uuid::nil(), |after, most| async move {
            let mut tx = pool.begin().await?;
            let batch = expire_deliveries(&mut tx, days, after, most).await?;
            tx.commit().await?;
            Ok::<_, Error>(batch)
        });
        let deliveries = deliveries.await?;
        let events = in_batches("events", pace, Uuid::nil(), |after, most| async move {
            event::expire(&mut *pool.acquire().await?, days, after, most).await
        });
        let events = events.await?;
        let replays = in_batches("replays", pace, Uuid::nil(), |after, most| async move {
            webhook_replay::expire(&mut *pool.acquire().await?, days, after, most).await
        });
        let replays = replays.await?;
        Ok(Forgotten {
            events: events.done,
            deliveries: deliveries.done,
            attempts: attempts.done,
            replays: replays.done,
            has_more: [attempts, deliveries, events, replays].iter().any(|part| part.has_more),
        })
    }
}
