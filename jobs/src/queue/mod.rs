//! The queue: an apalis backend over Postgres.
//!
//! apalis gives the worker, its layers and its graceful stop; the storage is ours. A job lives in one row of `job`. It
//! is claimed in batches, fairly among tenants, under the lease of its worker's heartbeat; it leaves the table when it
//! succeeds, and moves to `dead_job` when it cannot.
//!
//! What it promises, and where the promise is kept:
//! - never lost, and part of the caller's transaction: [`enqueue()`]
//! - fenced, and written again without harm: [`settle()`]
//! - leased by heartbeat, rescued with the attempt counted: [`Lease`], [`rescue()`]
//! - fair among tenants: `queue_claim` in the migration, [`claim()`]
//! - stops well and outlives the database: [`Lane`]
//! - cancellable and pausable: [`control`]
//! - observable without cost: [`census`], [`minutes`], [`queues`], [`live`]
//! - limited, by kind and by group: [`limit`], [`group_limit`]
//! - dead letters: [`dead`], and many at once: [`replay_batch`]
//!
//! What is absent on purpose: no session state (no advisory locks, no `SET` outside functions), so that a pooler may
//! stand between; no index on anything that a claim touches; no row left behind by a job that succeeded.

mod again;
mod backend;
mod buffer;
pub mod census;
mod claim;
mod config;
pub mod control;
pub mod dead;
mod enqueue;
pub mod error;
mod feed;
pub mod group_limit;
mod known;
mod lane;
mod lease;
pub mod limit;
pub mod live;
pub mod minutes;
pub mod queues;
pub mod replay_batch;
mod rescue;
mod settle;
pub mod sight;
pub mod signals;
mod verdict;
mod wait;
pub mod workers;

pub use crate::domain::DeathReason;
pub use again::{Again, run_again};
pub use backend::{Judge, LaneLoops, QueueBackend, SettleLayer, SettleService, Shared};
pub use claim::{Claim, ClaimError, ClaimRequest, Claimed, Claims, Look, Stream, claim, hold};
pub use config::Config;
pub use enqueue::{EnqueueError, Enqueued, Options, enqueue, enqueue_many, enqueue_many_at, enqueue_with};
pub use error::JobError;
pub use lane::Lane;
pub use lease::{Beat, Lease};
pub use rescue::{Rescued, expire_outcomes, rescue};
pub use settle::{Settled, Settlement, settle};
pub use signals::Signals;
pub use verdict::{Attempted, Failure, Verdict};
pub use wait::{Standing, WaitError, Waited, standing, wait};
