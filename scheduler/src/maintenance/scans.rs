//! Scans that are older than their organisation's plan keeps them ([`jobs::plan::Limits::scan_history`]), with their drift. What stays
//! however old it is: see [`scan_run::expire`].

use jobs::db::batches::{Batch, Pace, in_batches};
use jobs::db::scan_run::{self, Expired, Place};
use jobs::plan::{self, Plan};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// The settings. How long scans are kept is the plans' to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two runs. Lists leave out what is over; this gives back its place.
    pub every: Duration,
    /// Of runs and items of their drift together.
    pub batches: Batches,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_hours(1), batches: Batches::default() }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// What was forgotten.
    pub expired: Expired,
    /// Whether there is more.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        let Expired { runs, snapshots, items } = self.expired;
        vec![("runs", runs), ("snapshots", snapshots), ("items", items)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// See the module.
#[derive(Debug)]
pub struct Scans {
    pool: PgPool,
    config: Config,
    pace: Pace,
    /// Where the next run goes on, by plan: what stays is not walked over again and again.
    places: Mutex<BTreeMap<Plan, Place>>,
}

impl Scans {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, config: Config) -> Result<Self, InvalidConfig> {
        Check(Self::NAME).usual(config.every, config.batches)?;
        let pace = config.batches.pace(Self::NAME, ground);
        Ok(Self { pool: ground.pool.clone(), config, pace, places: Mutex::default() })
    }

    /// Deletes a batch of a plan's.
    async fn batch(&self, limited: (Plan, Duration), from: Place, most: i64) -> Result<Batch<Place, Expired>, Error> {
        let mut tx = self.pool.begin().await?;
        let batch = scan_run::expire(&mut tx, limited, from, most).await?;
        tx.commit().await?;
        self.places().insert(limited.0, batch.next.unwrap_or_default());
        Ok(batch)
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Plan, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Scans {
    const NAME: &'static str = "scans";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let mut forgotten = Forgotten::default();
        let limited = Plan::ALL.iter().filter_map(|plan| Some((*plan, plan::limits(*plan).scan_history?)));
        for limited in limited {
            let from = self.places().get(&limited.0).copied().unwrap_or_default();
            let expired = in_batches("runs", &self.pace, from, |from, most| self.batch(limited, from, most));
            let expired = expired.await?;
            forgotten.expired += expired.done;
            forgotten.has_more |= expired.has_more;
        }
        Ok(forgotten)
    }
}
