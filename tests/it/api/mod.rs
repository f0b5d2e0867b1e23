//! The API, asked from outside: the real executable, a database of its own for each test, one file an endpoint.

mod accounts;
mod api_keys;
mod dead_jobs;
mod document;
mod fixture;
mod hostile;
mod idempotency;
mod issuer;
mod jobs;
mod keys;
mod me;
mod operators;
mod orgs;
mod pages;
mod providers;
mod queues;
mod rate_limits;
mod schedules;
mod service;
mod snapshot;
mod tokens;
mod webhooks;
mod wire;
