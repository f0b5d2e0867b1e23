//! What an attempt means: for the delivery, for its job, and for the endpoint.

use std::time::Duration;

use jobs::db::webhook_delivery::{Attempt, Faring, Load, Record, Then};
use jobs::domain::Trigger;
use jobs::kinds::Job as _;
use jobs::kinds::deliver_webhook::DeliverWebhook;
use jobs::queue::JobError;
use serde_json::Value;

use super::message::Fault;
use crate::outbound::webhook::{Answer, Outcome, StatusCode};
use crate::runtime::JobContext;

/// The longest that a receiver may ask us to leave it alone altogether, rather than with the one delivery that it refused.
const LONGEST_HOLD_UP: Duration = Duration::from_hours(1);

/// An attempt, judged.
#[derive(Debug)]
pub(super) struct Judged {
    /// How long it took.
    pub(super) duration: Duration,
    /// The receiver said that it is gone for good.
    pub(super) is_gone: bool,
    answer: Option<Answer>,
    failure: Option<(&'static str, String)>,
    /// What operators are told besides: the log of attempts is the customer's.
    cause: Option<String>,
    then: Then,
    faring: Faring,
    hold_up: Option<Duration>,
}

impl Judged {
    /// Of a post.
    pub(super) fn outcome(cx: &JobContext, trigger: Trigger, outcome: Outcome) -> Self {
        let (duration, result) = (outcome.duration, outcome.result);
        // A test says something of the endpoint only when it succeeds: nobody shall be switched off by trying.
        let failing = if trigger == Trigger::Test { Faring::Unknown } else { Faring::Failing };
        match result {
            Ok(answer) if (200..300).contains(&answer.status) => Self {
                duration,
                is_gone: false,
                answer: Some(answer),
                failure: None,
                cause: None,
                then: Then::Delivered,
                faring: Faring::Well,
                hold_up: None,
            },
            Ok(answer) => {
                let is_gone = answer.status == StatusCode::GONE.as_u16();
                Self {
                    duration,
                    is_gone,
                    failure: Some(refusal(&answer)),
                    cause: None,
                    then: if is_gone { Then::Dead } else { next(cx, answer.retry_after) },
                    faring: failing,
                    hold_up: answer.retry_after.map(|after| after.min(LONGEST_HOLD_UP)),
                    answer: Some(answer),
                }
            }
            Err(failure) => Self {
                duration,
                is_gone: false,
                answer: None,
                failure: Some((failure.class.as_str(), failure.message)),
                cause: None,
                then: next(cx, None),
                faring: failing,
                hold_up: None,
            },
        }
    }

    /// Of a message that could not be made: nothing was sent.
    pub(super) fn fault(cx: &JobContext, fault: &Fault) -> Self {
        Self {
            duration: Duration::ZERO,
            is_gone: false,
            answer: None,
            failure: Some(("internal", "nothing was sent, by a fault of ours; it is tried again".to_owned())),
            cause: Some(fault.to_string()),
            then: next(cx, None),
            faring: Faring::Unknown,
            hold_up: None,
        }
    }

    /// The class of the failure.
    pub(super) fn class(&self) -> Option<&'static str> {
        self.failure.as_ref().map(|(class, _)| *class)
    }

    /// What is written down of it, and what becomes of the job: both with the same delay.
    pub(super) fn into_record(self, cx: &JobContext, load: &Load) -> (Record, Result<Value, JobError>) {
        let message = |told: &String| self.cause.clone().unwrap_or_else(|| told.clone());
        let result = match (&self.failure, self.then) {
            (None, _) => Ok(Value::Null),
            (Some((class, told)), Then::Retry(delay)) => Err(JobError::retry_after(class, message(told), delay)),
            (Some((class, told)), _) if self.is_gone => Err(JobError::fail(class, message(told))),
            (Some((class, told)), _) => Err(JobError::retry(class, message(told))),
        };
        // Attempts that are written down of this job; the others' workers were lost.
        let known = if load.job_id == cx.id { load.attempts } else { 0 };
        let first = if load.job_id == cx.id { load.trigger } else { Trigger::Replay };
        let record = Record {
            org_id: load.org_id,
            delivery_id: load.id,
            endpoint_id: load.endpoint.id,
            claim: cx.claim,
            attempt: Attempt {
                trigger: if known == 0 { first } else { Trigger::Retry },
                unrecorded: (cx.attempt - 1 - known).max(0),
                duration: self.duration,
                response_status: self.answer.as_ref().map(|answer| answer.status),
                response_excerpt: self.answer.map(|answer| answer.excerpt).filter(|excerpt| !excerpt.is_empty()),
                failure: self.failure,
            },
            then: self.then,
            faring: self.faring,
            hold_up: self.hold_up,
        };
        (record, result)
    }
}

/// What becomes of a delivery that failed: the kind's schedule, unless the receiver said when.
fn next(cx: &JobContext, retry_after: Option<Duration>) -> Then {
    if cx.is_last_attempt() {
        return Then::Dead;
    }
    let failures = u16::try_from(cx.attempt).unwrap_or(u16::MAX);
    Then::Retry(retry_after.unwrap_or_else(|| DeliverWebhook::BACKOFF.delay(failures)))
}

/// What an answer that is no success says.
fn refusal(answer: &Answer) -> (&'static str, String) {
    let status = StatusCode::from_u16(answer.status);
    let name = status.as_ref().ok().and_then(StatusCode::canonical_reason).unwrap_or_default();
    let text = format!("the endpoint answered {} {name}", answer.status).trim_end().to_owned();
    match answer.status {
        300..400 => ("redirect", format!("{text}: redirects are not followed, change the endpoint's URL")),
        410 => ("http_status", format!("{text}: it is disabled")),
        _ => ("http_status", text),
    }
}
