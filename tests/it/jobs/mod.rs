//! The kinds of job, each run by a real worker on a real database against AWS's own protocol.

mod artifacts;
mod assume_role;
mod compute_drift;
pub mod deliver_webhook;
mod enrich_resource;
mod posture;
mod refresh_state_source;
mod replay_dead_jobs;
mod replay_webhooks;
mod scan;
mod survival;
mod validate_account;
pub mod world;
