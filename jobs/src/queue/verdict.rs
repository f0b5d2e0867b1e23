//! From what a handler said to what becomes of the job.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::claim::{Claim, Claimed};
use super::error::{Decision, JobError};
use crate::domain::DeathReason;
use crate::retry::Backoff;

/// The longest error message that is kept, in bytes.
const MAX_ERROR: usize = 8 * 1024;
/// The largest details that are kept, in bytes of JSON.
const MAX_DETAILS: usize = 64 * 1024;

/// A failed attempt, as it is kept: cut to size and free of the NUL that Postgres cannot store.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Stable name of the failure.
    pub error_class: Cow<'static, str>,
    /// Message for a person.
    pub error: String,
    /// Facts beside the message.
    pub details: Option<Value>,
}

impl Failure {
    /// A failure without details.
    pub fn new(error_class: impl Into<Cow<'static, str>>, error: impl Into<String>) -> Self {
        let mut error = error.into().replace('\0', "\u{fffd}");
        error.truncate(error.floor_char_boundary(MAX_ERROR));
        Self { error_class: error_class.into(), error, details: None }
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        let details = error.details.map(storable).filter(|details| details.to_string().len() <= MAX_DETAILS);
        Self { details, ..Self::new(error.error_class, error.message) }
    }
}

/// What becomes of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It succeeded; the value is kept if somebody waits for it.
    Done(Value),
    /// It failed and is tried again after the delay.
    Retry {
        /// How long to wait.
        delay: Duration,
        /// What went wrong.
        failure: Failure,
    },
    /// It is run again after the delay; no attempt is spent.
    Snooze {
        /// How long to wait.
        delay: Duration,
    },
    /// It goes back where it was, as if it had not been claimed.
    HandBack,
    /// It will not be tried again.
    Dead {
        /// Why.
        reason: DeathReason,
        /// What went wrong last.
        failure: Failure,
    },
    /// It failed through the fault of whoever asked for it, who is told; there is nothing to replay.
    Refused {
        /// What was wrong.
        failure: Failure,
    },
    /// It ends because somebody, or its handler, said so.
    Cancelled {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Its name, for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::HandBack => "hand_back",
            Self::Dead { .. } => "dead",
            Self::Refused { .. } => "refused",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// What becomes of `job`, whose handler answered `result`, by its kind's `backoff`.
    #[must_use]
    pub fn of(job: &Attempted, result: Result<Value, JobError>, backoff: &Backoff) -> Self {
        let error = match result {
            Ok(value) => return Self::Done(storable(value)),
            Err(error) => error,
        };
        let delay = match error.decision {
            Decision::Snooze(delay) => return Self::Snooze { delay },
            Decision::Cancel => return Self::Cancelled { reason: Failure::from(error).error },
            Decision::Fail => {
                return Self::Dead { reason: DeathReason::FailedForGood, failure: error.into() };
            }
            Decision::Refuse => return Self::Refused { failure: error.into() },
            Decision::Reject(reason) => return Self::Dead { reason, failure: error.into() },
            Decision::HandBack => return Self::HandBack,
            Decision::Retry => backoff.delay(u16::try_from(job.attempt).unwrap_or(u16::MAX)),
            Decision::RetryAfter(delay) => delay,
        };
        let failure = error.into();
        if job.attempt < job.max_attempts {
            Self::Retry { delay, failure }
        } else {
            Self::Dead { reason: DeathReason::AttemptsExhausted, failure }
        }
    }
}

/// What settling needs to know of a job once its handler has the rest.
#[derive(Debug, Clone, Copy)]
pub struct Attempted {
    /// The right to settle it.
    pub claim: Claim,
    /// The attempt that ran.
    pub attempt: i16,
    /// The attempt after which it is dead.
    pub max_attempts: i16,
    /// Whether rows elsewhere hang on it.
    pub has_trail: bool,
}

impl From<&Claimed> for Attempted {
    fn from(job: &Claimed) -> Self {
        Self { claim: job.claim, attempt: job.attempt, max_attempts: job.max_attempts, has_trail: job.has_trail }
    }
}

/// `value` without NUL characters, which `jsonb` refuses. Nearly always there is none, and nothing is copied.
fn storable(value: Value) -> Value {
    if !has_nul(&value) {
        return value;
    }
    match value {
        Value::String(text) => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => Value::Array(items.into_iter().map(storable).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(k, v)| (k.replace('\0', "\u{fffd}"), storable(v))).collect())
        }
        other => other,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attempted(attempt: i16) -> Attempted {
        let claim = Claim { id: crate::ids::JobId::new(), worker: uuid::Uuid::new_v4(), claim_no: 1 };
        Attempted { claim, attempt, max_attempts: 3, has_trail: false }
    }

    fn verdict(attempt: i16, error: JobError) -> Verdict {
        const DELAYS: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(9)];
        let backoff = Backoff::Table { delays: DELAYS, jitter: 0.0 };
        Verdict::of(&attempted(attempt), Err(error), &backoff)
    }

    #[test]
    fn the_budget_ends_retries_and_the_backoff_spaces_them() {
        let retry = |attempt| verdict(attempt, JobError::retry("boom", "it broke"));
        let failure = Failure::new("boom", "it broke");
        assert_eq!(retry(1), Verdict::Retry { delay: Duration::from_secs(1), failure: failure.clone() });
        assert_eq!(retry(2), Verdict::Retry { delay: Duration::from_secs(9), failure: failure.clone() });
        assert_eq!(retry(3), Verdict::Dead { reason: DeathReason::AttemptsExhausted, failure });
    }

    #[test]
    fn a_handler_may_overrule_the_policy() {
        let minute = Duration::from_mins(1);
        assert!(
            matches!(verdict(1, JobError::retry_after("busy", "x", minute)), Verdict::Retry { delay, .. } if delay == minute)
        );
        assert!(matches!(
            verdict(1, JobError::fail("bad", "x")),
            Verdict::Dead { reason: DeathReason::FailedForGood, .. }
        ));
        let failure = Failure::new("wrong", "x");
        assert_eq!(verdict(1, JobError::refuse("wrong", "x")), Verdict::Refused { failure });
        assert_eq!(verdict(3, JobError::snooze(minute)), Verdict::Snooze { delay: minute });
        assert_eq!(verdict(3, JobError::cancel("gone")), Verdict::Cancelled { reason: "gone".to_owned() });
    }

    #[test]
    fn what_postgres_cannot_store_is_mended_and_cut_to_size() {
        let failure = Failure::new("x", format!("a\0{}", "ä".repeat(MAX_ERROR)));
        assert!(failure.error.starts_with("a\u{fffd}ä") && failure.error.len() <= MAX_ERROR);
        let done = Verdict::of(&attempted(1), Ok(json!({"k\0": ["v\0", 1]})), &Backoff::STANDARD);
        assert_eq!(done, Verdict::Done(json!({"k\u{fffd}": ["v\u{fffd}", 1]})));
        let huge = JobError::retry("x", "y").with_details(json!("z".repeat(MAX_DETAILS)));
        assert_eq!(Failure::from(huge).details, None);
    }
}
