//! Schedules over their lives: created, changed, deleted and run by people; fired by schedulers; switched off by us when all they start
//! keeps failing.
//!
//! Any number of schedulers may run, and none is the leader. A schedule's row says when it fires next. Whoever finds it due locks it,
//! writes what becomes of the firing under the unique key of schedule and time, starts the scans and moves the row on, all in one
//! transaction: so each firing happens once, whoever is killed when. People's changes lock the same row.
//!
//! The database's clock decides. Nothing here, and nothing in the scheduler, reads another one.

mod change;
mod fire;
mod outcome;
mod run;
mod start;
pub mod timing;

use crate::audit::AppendError;
use crate::queue::EnqueueError;

pub use change::{create, delete, update};
pub use fire::{Fired, fire_due};
pub use outcome::scan_ended;
pub use run::{Run, run_now};

/// So many firings in a row all of whose scans failed switch a schedule off.
pub const MOST_FAILURES: i32 = 5;

/// Why nothing was done; the caller's transaction is not to be committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The audit chain could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
    /// A scan could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// For callers whose other errors are the database's.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) | Error::Audit(AppendError::Database(error)) => error,
            Error::Audit(AppendError::Details(error)) => Self::Encode(Box::new(error)),
            Error::Enqueue(error) => error.into(),
        }
    }
}
