//! How a handler says what a failure means.
//!
//! The error carries the decision, at the line where it happens: `.map_err(|e| JobError::retry("aws_throttled", e))?`.
//! - [`JobError::retry`]: it may go better next time; the kind's backoff decides when, its budget how often.
//! - [`JobError::retry_after`]: the same, but somebody (a `Retry-After` header) said when.
//! - [`JobError::fail`]: it will never go better; the job is dead at once.
//! - [`JobError::refuse`]: whoever asked for it asked wrongly and is told so by the job's outcome; nobody has to look after it.
//! - [`JobError::snooze`]: nothing failed, it is only too early; spends no attempt.
//! - [`JobError::cancel`]: it has become pointless; the job ends without being dead.
//!
//! The class is a stable name for filters and metrics, the message is for a person and never holds a secret.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;

use crate::audit::AppendError;
use crate::domain::DeathReason;

/// What shall become of the job.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Try again when the kind's backoff says.
    Retry,
    /// Try again after this time.
    RetryAfter(Duration),
    /// Dead at once.
    Fail,
    /// Failed at once, but not dead: its outcome says so, for kinds that keep one.
    Refuse,
    /// Run again after this time; the attempt is not counted.
    Snooze(Duration),
    /// End it; it is not dead.
    Cancel,
    /// Dead at once, because this process cannot run it at all.
    Reject(DeathReason),
    /// Back to the queue as if it had not been claimed: the worker stops.
    HandBack,
}

/// A failed attempt and what shall become of the job.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// What shall become of the job.
    pub decision: Decision,
    /// Stable name of the failure, `snake_case`.
    pub error_class: &'static str,
    /// What happened, to which thing, for a person.
    pub message: String,
    /// Facts beside the message.
    pub details: Option<Value>,
}

impl JobError {
    fn new(decision: Decision, error_class: &'static str, message: &dyn Display) -> Self {
        Self { decision, error_class, message: message.to_string(), details: None }
    }

    /// It may go better next time: again when the kind's backoff says, dead when its attempts are spent.
    pub fn retry(error_class: &'static str, message: impl Display) -> Self {
        Self::new(Decision::Retry, error_class, &message)
    }

    /// As [`retry`](Self::retry), but after `delay`, whatever the kind's backoff says.
    pub fn retry_after(error_class: &'static str, message: impl Display, delay: Duration) -> Self {
        Self::new(Decision::RetryAfter(delay), error_class, &message)
    }

    /// It will never go better: dead at once, whatever attempts are left.
    pub fn fail(error_class: &'static str, message: impl Display) -> Self {
        Self::new(Decision::Fail, error_class, &message)
    }

    /// The caller's fault, who learns of it by the job's outcome: no dead letter, which would be noise for operators. Only for
    /// kinds that keep outcomes, or it fails unseen. A dead job that it replays stays as it was.
    pub fn refuse(error_class: &'static str, message: impl Display) -> Self {
        Self::new(Decision::Refuse, error_class, &message)
    }

    /// Too early: again after `delay`; no attempt is spent and no failure recorded.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self::new(Decision::Snooze(delay), "snoozed", &"not yet")
    }

    /// Pointless by now: the job ends, without being dead.
    pub fn cancel(reason: impl Display) -> Self {
        Self::new(Decision::Cancel, "cancelled", &reason)
    }

    /// The payload is not what the kind expects: dead at once.
    pub fn undecodable(message: impl Display) -> Self {
        Self::new(Decision::Reject(DeathReason::UndecodablePayload), "undecodable_payload", &message)
    }

    /// No handler of this process knows the kind: dead at once.
    #[must_use]
    pub fn unknown_kind(kind: &str) -> Self {
        let message =
            format!("no handler knows the kind {kind:?}; a newer version may have enqueued it, replay it there");
        Self::new(Decision::Reject(DeathReason::UnknownKind), "unknown_kind", &message)
    }

    /// The worker stops before the handler ended: back to the queue, no attempt spent.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(Decision::HandBack, "interrupted", &"the worker stopped")
    }

    /// Adds facts for whoever reads the failure later.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// The database went away or refused: it may go better next time.
impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        Self::retry("database", error)
    }
}

/// The database again, or a handler's details that cannot be written.
impl From<AppendError> for JobError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Database(error) => error.into(),
            AppendError::Details(error) => Self::fail("audit_unwritable", error),
        }
    }
}
