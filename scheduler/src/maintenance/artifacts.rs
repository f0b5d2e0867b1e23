//! Uploaded states that nobody forgot: the job that reads one deletes it when it ends, but not one that dies with its worker, nor one that
//! is never enqueued because the API was killed in between. Such a state is kept for as long as a dead job may be replayed that reads it.

use jobs::artifacts::{Key, Place, Store};
use jobs::db::batches::{Batch, Pace, in_batches};
use jobs::db::clock;
use jobs::kinds::refresh_state_source::RefreshStateSource;
use jobs::kinds::{Job as _, dead_retention};
use sqlx::PgPool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

use super::config::Check;
use super::{Batches, Counts, Error, Ground, InvalidConfig, Service};

/// A job may wait and be tried for so long before it dies, and its retention begins.
const TILL_DEATH: Duration = Duration::from_hours(24);

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Between two walks through the store.
    pub every: Duration,
    /// How long uploads are kept, in days: at least as long as dead jobs that read them and a day, at most 3,650.
    pub days: u16,
    /// Pages of 1,000 keys of one run, 1 to 10,000; the next one goes on.
    pub pages: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Duration::from_hours(6), days: least_days(), pages: 100 }
    }
}

/// See [`Config::days`].
fn least_days() -> u16 {
    let kept = dead_retention(RefreshStateSource::KIND) + TILL_DEATH;
    u16::try_from(kept.as_secs().div_ceil(24 * 60 * 60)).unwrap_or(u16::MAX)
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Uploads that were deleted.
    pub uploads: u64,
    /// Whether the store goes on after where it ended.
    pub has_more: bool,
}

impl Counts for Forgotten {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("uploads", self.uploads)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }

    fn is_news(&self) -> bool {
        self.uploads > 0
    }
}

/// See the module.
#[derive(Debug)]
pub struct Artifacts {
    pool: PgPool,
    store: Store,
    config: Config,
    pace: Pace,
    /// Where the next run goes on.
    place: Mutex<Option<Place>>,
}

impl Artifacts {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(ground: &Ground, store: Store, config: Config) -> Result<Self, InvalidConfig> {
        let check = Check(Self::NAME);
        check.every(config.every)?;
        check.number("days", config.days.into(), (least_days().into(), 3_650))?;
        check.number("pages", config.pages.into(), (1, 10_000))?;
        // Turns of its own: the database has no part in it, and a store may be slow.
        let ground = Ground::new(ground.pool.clone());
        let pace = Batches { most: config.pages, ..Batches::default() }.pace(Self::NAME, &ground);
        Ok(Self { pool: ground.pool, store, config, pace, place: Mutex::default() })
    }

    /// Deletes what is old of a page.
    async fn page(&self, from: Option<Place>, floor: Uuid) -> Result<Batch<Option<Place>>, Error> {
        let page = self.store.list(&Key::uploads(), from.as_ref()).await?;
        let mut done = 0;
        for key in page.keys.iter().filter(|key| key.upload_id().is_some_and(|id| id < floor)) {
            self.store.delete(key).await?;
            done += 1;
        }
        self.go_on_at(page.next.clone());
        Ok(Batch { done, next: page.next.map(Some) })
    }

    fn go_on_at(&self, place: Option<Place>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

impl Service for Artifacts {
    const NAME: &'static str = "artifacts";
    type Counts = Forgotten;

    fn every(&self) -> Duration {
        self.config.every
    }

    async fn run_once(&self) -> Result<Forgotten, Error> {
        let age = Duration::from_hours(24 * u64::from(self.config.days));
        let floor = clock::v7_floor(&mut *self.pool.acquire().await?, age).await?;
        let from = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let run = in_batches("uploads", &self.pace, from, |from, _| self.page(from, floor)).await?;
        Ok(Forgotten { uploads: run.done, has_more: run.has_more })
    }
}
