//! All SQL but the queue's: one file a table, plain functions over a connection, so that every function can be part of the
//! caller's transaction.

pub mod account_registration;
pub mod api_key;
pub mod audit;
pub mod batches;
pub mod chaos;
pub mod clock;
pub mod cloud_account;
pub mod declared_resource;
pub mod drift_item;
pub mod drift_key;
pub mod drift_snapshot;
pub mod event;
pub mod idempotency;
pub mod json;
pub mod live_resource;
pub mod measure;
pub mod membership;
pub mod operator_key;
pub mod org;
pub mod page;
pub mod pool;
pub mod pooler;
pub mod rate_limit;
pub mod scan_run;
pub mod schedule;
pub mod state_snapshot;
pub mod state_source;
pub mod user;
pub mod webhook_delivery;
pub mod webhook_endpoint;
pub mod webhook_replay;

pub use page::{Listed, Page};
