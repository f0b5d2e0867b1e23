//! What the workers do: one file a kind of job.
//!
//! A handler runs at least once and maybe again from its beginning: every effect is guarded by the state it changes, and
//! written in a transaction that holds the job's claim ([`JobContext::hold`](crate::runtime::JobContext::hold)).

pub mod compute_drift;
pub mod enrich_resource;
pub mod refresh_state_source;
pub mod scan;
pub mod validate_account;

use std::collections::BTreeSet;

use jobs::kinds::Job;
use jobs::queue::JobError;
use jobs::queue::error::Decision;
use serde::Serialize;
use serde_json::Value;

use crate::runtime::{Handler, JobContext, Runtime};
use crate::services::Services;

/// Registers every handler.
#[must_use]
pub fn register(runtime: Runtime, services: &Services) -> Runtime {
    runtime
        .register(scan::Handler(services.clone()))
        .register(compute_drift::Handler(services.clone()))
        .register(refresh_state_source::Handler(services.clone()))
        .register(validate_account::Handler(services.clone()))
        .register(enrich_resource::Handler(services.clone()))
}

/// The queues of the handlers' kinds, in alphabetical order.
#[must_use]
pub fn queues() -> BTreeSet<&'static str> {
    const fn queue<H: Handler>() -> &'static str {
        <H::Job as Job>::QUEUE
    }
    BTreeSet::from([
        queue::<scan::Handler>(),
        queue::<compute_drift::Handler>(),
        queue::<refresh_state_source::Handler>(),
        queue::<validate_account::Handler>(),
        queue::<enrich_resource::Handler>(),
    ])
}

/// Whether a failed attempt is the job's end, so that what it worked on must be told. Not when the token was cancelled:
/// a worker that stops hands the job back, and who cancels a job finds the rest reconciled
/// ([`jobs::scans::reconcile_stuck_runs`]).
fn is_final(cx: &JobContext, error: &JobError) -> bool {
    if cx.cancel.is_cancelled() {
        return false;
    }
    match error.decision {
        Decision::Fail | Decision::Reject(_) => true,
        Decision::Retry | Decision::RetryAfter(_) => cx.is_last_attempt(),
        Decision::Snooze(_) | Decision::Cancel | Decision::HandBack => false,
    }
}

/// A handler's answer as JSON.
fn answer(of: &impl Serialize) -> Result<Value, JobError> {
    serde_json::to_value(of).map_err(|error| JobError::fail("answer_unwritable", error))
}

#[cfg(test)]
mod tests {
    use jobs::artifacts::Store;
    use jobs::crypto::Keyring;
    use jobs::queue::{Config, Signals};
    use sqlx::postgres::PgPoolOptions;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn the_queues_are_those_of_the_registered_handlers() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Store::open(folder.path().to_str().unwrap()).await.unwrap();
        let keyring = Keyring::parse(&Keyring::generate(), None).unwrap();
        let services = Services::new(keyring, artifacts).unwrap();
        let nowhere = "postgres://127.0.0.1:9/none";
        let pool = PgPoolOptions::new().connect_lazy(nowhere).unwrap();
        let stopped = CancellationToken::new();
        stopped.cancel();
        let signals = Signals::listen(nowhere.to_owned(), stopped);
        let runtime = register(Runtime::builder(pool, signals, Config::default()), &services);
        assert_eq!(runtime.queues(), queues().into_iter().collect::<Vec<_>>());
    }
}
