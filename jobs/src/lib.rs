//! What the API, the workers and the scheduler share: kinds of jobs, the queue, the tables, the domain's words, secrets and
//! the audit chain. Nothing here depends on any of them.

pub mod addresses;
pub mod artifacts;
pub mod audit;
pub mod cron;
pub mod crypto;
pub mod cursor;
pub mod db;
pub mod dead_letters;
pub mod domain;
pub mod events;
pub mod ids;
pub mod kinds;
pub mod lookup;
pub mod payloads;
pub mod plan;
pub mod providers;
pub mod queue;
pub mod retry;
pub mod scans;
pub mod schedules;
pub mod schema;
pub mod steering;
pub mod webhooks;
