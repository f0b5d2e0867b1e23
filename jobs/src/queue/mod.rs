//! The queue: an apalis backend over Postgres.
//!
//! apalis gives the worker, its layers and its graceful stop; the storage is ours, for the reasons that
//! `docs/adr` tells. A job lives in one row of `job`. It is claimed in batches, fairly among tenants, under the lease
//! of its worker's heartbeat; it leaves the table when it succeeds, and moves to `dead_job` when it cannot.
//!
//! - [`enqueue`]: putting jobs in, in the caller's transaction.
//! - [`wait()`]: waiting for the outcome of one.
//! - [`error`]: how a handler says what a failure means.
//! - [`signals`]: waking without polling.

mod enqueue;
pub mod error;
pub mod signals;
mod wait;

pub use enqueue::{EnqueueError, Enqueued, Options, enqueue, enqueue_many, enqueue_with};
pub use error::JobError;
pub use signals::Signals;
pub use wait::{WaitError, Waited, wait};
