//! What a job is: a struct with its policy beside it.
//!
//! A kind declares, it does not code: which queue, how often, how long, how to back off. The payload carries ids, not
//! data, for the handler reads what is true when it runs. Payloads live here, apart from their handlers in
//! `workers/src/handlers`, so that whoever enqueues never compiles what runs.
//!
//! One file a kind: `jobs/src/kinds/X.rs`, `workers/src/handlers/X.rs`, `tests/it/jobs/X.rs`.

pub mod compute_drift;
pub mod deliver_webhook;
pub mod enrich_resource;
pub mod refresh_state_source;
pub mod replay_dead_jobs;
pub mod replay_webhooks;
pub mod scan;
pub mod validate_account;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::retry::Backoff;

/// Priorities; lower runs first. Within a priority, tenants take turns.
pub mod priority {
    /// A request waits for it.
    pub const AWAITED: i16 = 0;
    /// A person or a consequence waits for it.
    pub const HIGH: i16 = 10;
    /// Everything else.
    pub const NORMAL: i16 = 50;
    /// Whenever there is nothing else: clean-up, back-fill.
    pub const LOW: i16 = 100;
}

/// How long dead jobs are kept whose kind says nothing else, or is not known.
pub const DEAD_RETENTION: Duration = Duration::from_hours(30 * 24);

/// A kind of work: its payload and its policy.
///
/// ```
/// use std::time::Duration;
/// use jobs::kinds::Job;
/// use serde::{Deserialize, Serialize};
/// use uuid::Uuid;
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct SendReport {
///     org_id: Uuid,
///     report_id: Uuid,
/// }
///
/// impl Job for SendReport {
///     const KIND: &'static str = "send_report";
///     const QUEUE: &'static str = "reports";
///     const MAX_ATTEMPTS: i16 = 5;
///     const TIMEOUT: Duration = Duration::from_secs(60);
///
///     fn tenant(&self) -> Option<Uuid> {
///         Some(self.org_id)
///     }
/// }
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the database, in logs and metrics; never changes once jobs of it exist.
    const KIND: &'static str;

    /// The queue it waits in. A worker process serves each queue with slots of its own, so a queue full of slow jobs
    /// never delays another queue.
    const QUEUE: &'static str;

    /// Attempts, lost ones included, before it is dead; at least 1.
    const MAX_ATTEMPTS: i16;

    /// How long one attempt may take; past it the handler is dropped and the attempt has failed with class `timeout`.
    const TIMEOUT: Duration;

    /// How many of them run in the place of one other job: more than one for those that hardly do anything but wait for somebody
    /// else's answer. A queue takes the most of its kinds.
    const PARALLEL: usize = 1;

    /// How long to wait after a failed attempt.
    const BACKOFF: Backoff = Backoff::STANDARD;

    /// Lower runs first, see [`priority`]; not negative.
    const PRIORITY: i16 = priority::NORMAL;

    /// How long the outcome is kept for whoever waits for it (see [`crate::queue::wait`]), in whole seconds; zero
    /// keeps none.
    const OUTCOME_TTL: Duration = Duration::ZERO;

    /// How long a dead job is kept for somebody to replay or discard it.
    const DEAD_RETENTION: Duration = DEAD_RETENTION;

    /// JSON pointers (RFC 6901) to what in the payload nobody may read. Better is a payload without secrets.
    const SECRET_FIELDS: &'static [&'static str] = &[];

    /// The organisation whose job it is; `None` for the platform's own. Tenants take turns, and may have limits.
    fn tenant(&self) -> Option<Uuid>;

    /// While a job of this kind, tenant and key waits or runs, enqueueing another returns that one.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// The concurrency group: jobs of one group share a limit on running jobs.
    fn group(&self) -> Option<String> {
        None
    }
}

/// What is known of a kind without running it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// [`Job::KIND`].
    pub kind: &'static str,
    /// [`Job::QUEUE`].
    pub queue: &'static str,
    /// [`Job::DEAD_RETENTION`].
    pub dead_retention: Duration,
    /// [`Job::SECRET_FIELDS`].
    pub(crate) secret_fields: &'static [&'static str],
    /// Whether this is a payload of the kind.
    pub(crate) decodes: fn(&str) -> bool,
}

impl Known {
    pub(crate) const fn of<J: Job>() -> Self {
        Self {
            kind: J::KIND,
            queue: J::QUEUE,
            dead_retention: J::DEAD_RETENTION,
            secret_fields: J::SECRET_FIELDS,
            decodes: |payload| serde_json::from_str::<J>(payload).is_ok(),
        }
    }
}

/// Every kind of this version, for processes that show jobs and never run one.
pub const KNOWN: &[Known] = &[
    Known::of::<compute_drift::ComputeDrift>(),
    Known::of::<deliver_webhook::DeliverWebhook>(),
    Known::of::<enrich_resource::EnrichResource>(),
    Known::of::<refresh_state_source::RefreshStateSource>(),
    Known::of::<replay_dead_jobs::ReplayDeadJobs>(),
    Known::of::<replay_webhooks::ReplayWebhooks>(),
    Known::of::<scan::Scan>(),
    Known::of::<validate_account::ValidateAccount>(),
];

/// What is known of a kind; `None` for another version's.
#[must_use]
pub fn known(kind: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.kind == kind)
}

/// How long dead jobs of a kind are kept; those of another version's kind as long as most.
#[must_use]
pub fn dead_retention(kind: &str) -> Duration {
    known(kind).map_or(DEAD_RETENTION, |known| known.dead_retention)
}
