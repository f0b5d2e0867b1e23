//! Replaying many dead jobs, at a pace.
//!
//! A batch is frozen when it is created: it stands for the dead jobs that matched its filter then, each an item with a turn. A
//! job of the kind `replay_dead_jobs` takes them in slices. Each slice is one transaction that holds that job's claim,
//! enqueues the replays, notes them at their items and moves the progress; so whatever dies in the middle, each dead job is
//! replayed once or told why not, and the next attempt goes on where the last commit left off.
//!
//! Locks are taken in one order everywhere: the job, the batch, the dead jobs, their items.

mod cancel;
mod create;
mod slice;
mod upkeep;

pub use cancel::{Cancelling, cancel};
pub use create::{CreateError, MOST_ITEMS, NewBatch, RATES, create};
pub use slice::{Slice, slice};
pub use upkeep::{Forgotten, abandoned, expire};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::dead::Filter;
use crate::audit::{Actor, Origin};
use crate::domain::BatchState;
use crate::ids::ReplayBatchId;

/// A batch of replays, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayBatch {
    /// Its id.
    pub id: ReplayBatchId,
    /// Where it stands.
    pub state: BatchState,
    /// What chose its dead jobs.
    pub filter: Json<Filter>,
    /// Jobs a second at most; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Why, in its creator's words.
    pub note: Option<String>,
    /// Who created it.
    pub created_by: Json<Actor>,
    /// From where.
    #[serde(skip)]
    pub origin: Json<Origin>,
    /// Its dead jobs.
    pub total: i64,
    /// Those that it is through with.
    pub handled: i64,
    /// Those that run again through it.
    pub replayed: i64,
    /// Skipped: a job with the same unique key waited or ran.
    pub superseded: i64,
    /// Skipped: somebody else had replayed them.
    pub already_replayed: i64,
    /// Skipped: somebody had discarded them.
    pub discarded: i64,
    /// Skipped: they were past their retention.
    pub expired: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its first slice was replayed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done or cancelled.
    pub finished_at: Option<DateTime<Utc>>,
}

impl ReplayBatch {
    /// Those that it is through with but did not replay.
    #[must_use]
    pub const fn skipped(&self) -> i64 {
        self.handled - self.replayed
    }
}

/// Reads batches by a condition; a macro because checked queries are literals.
macro_rules! select {
    ($tail:literal, $($arg:expr),*) => {
        sqlx::query_as!(
            ReplayBatch,
            r#"SELECT id AS "id: _", state AS "state: _", filter AS "filter: _", rate, note, created_by AS "created_by: _",
                      origin AS "origin: _", total, handled, replayed, superseded, already_replayed, discarded, expired,
                      created_at, started_at, finished_at
                 FROM replay_batch "#
                + $tail,
            $($arg),*
        )
    };
}

/// Finds a batch.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: ReplayBatchId) -> sqlx::Result<Option<ReplayBatch>> {
    select!("WHERE id = $1", id.uuid()).fetch_optional(conn).await
}

/// Batches, newest first, at most `limit` of them after `after`.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, after: Option<ReplayBatchId>, limit: i64) -> sqlx::Result<Vec<ReplayBatch>> {
    // Ids begin with their time.
    let after = after.map_or(uuid::Uuid::max(), ReplayBatchId::uuid);
    select!("WHERE id < $1 ORDER BY id DESC LIMIT $2", after, limit).fetch_all(conn).await
}
