//! The integration tests: one binary, so that one build and one Postgres serve them all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod admin;
mod api;
mod bench;
mod chaos;
mod cli;
mod cloud_faults;
mod cron;
mod dlq;
mod drift_fixtures;
mod jobs;
mod maintenance;
mod no_identity;
mod org_lock;
mod pool;
mod postgres;
mod queue;
mod schedules;
mod schema;
mod steering;
mod support;
mod tidy;
mod up;
mod webhooks_libraries;
