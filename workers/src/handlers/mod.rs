//! What the workers do: one file a kind of job.
//!
//! A handler runs at least once and maybe again from its beginning: every effect is guarded by the state it changes, and
//! written in a transaction that holds the job's claim ([`JobContext::hold`](crate::runtime::JobContext::hold)).

pub mod compute_drift;
pub mod deliver_webhook;
pub mod enrich_resource;
pub mod refresh_state_source;
pub mod replay_dead_jobs;
pub mod replay_webhooks;
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

macro_rules! handlers {
    ($($kind:ident),+ $(,)?) => {
        /// Registers every handler.
        #[must_use]
        pub fn register(runtime: Runtime, services: &Services) -> Runtime {
            runtime$(.register($kind::Handler(services.clone())))+
        }

        /// The queues of the handlers' kinds, in alphabetical order.
        #[must_use]
        pub fn queues() -> BTreeSet<&'static str> {
            BTreeSet::from([$(<<$kind::Handler as Handler>::Job as Job>::QUEUE),+])
        }

        /// The handlers' kinds.
        #[must_use]
        pub fn kinds() -> BTreeSet<&'static str> {
            BTreeSet::from([$(<<$kind::Handler as Handler>::Job as Job>::KIND),+])
        }
    };
}

handlers!(
    scan,
    compute_drift,
    refresh_state_source,
    validate_account,
    enrich_resource,
    deliver_webhook,
    replay_webhooks,
    replay_dead_jobs,
);

/// Whether a failed attempt is the job's end, so that what it worked on must be told. Not when the token was cancelled:
/// a worker that stops hands the job back, and who cancels a job finds the rest reconciled
/// ([`jobs::scans::reconcile_stuck_runs`]).
fn is_final(cx: &JobContext, error: &JobError) -> bool {
    if cx.cancel.is_cancelled() {
        return false;
    }
    match error.decision {
        Decision::Fail | Decision::Refuse | Decision::Reject(_) => true,
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
    use super::*;

    #[test]
    fn each_kind_with_a_handler_is_known_to_whoever_shows_its_payload() {
        let known: BTreeSet<_> = jobs::kinds::KNOWN.iter().map(|known| known.kind).collect();
        assert_eq!(known, kinds());
    }
}
