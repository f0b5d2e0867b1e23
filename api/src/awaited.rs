//! Operations that the contract calls synchronous: a job of the highest priority that the request waits for.
//!
//! The API calls no cloud and parses no state; a worker does, and its outcome is awaited for as long as the application is
//! patient ([`App::patience`](crate::App::patience), 25 s). Past that the answer is 202 with the place to poll: the job goes on
//! either way, also when the caller hangs up.

use chrono::{DateTime, Utc};
use jobs::ids::JobId;
use jobs::plan::Exceeded;
use jobs::queue::{self, Options, Waited, wait};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;

use crate::context::Context;
use crate::problem::{FieldError, PlanLimit, Problem};

/// What an awaited job came to.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It succeeded with this.
    Done(T),
    /// It is dead, with the reason.
    Failed(Failure),
    /// It still waits or runs.
    Pending,
}

/// Why an awaited job failed; handlers name the classes and the field to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable name.
    pub class: String,
    /// For a person.
    pub message: String,
    /// The field of the request that is to blame.
    pub field: Option<String>,
    /// The plan's limit that was in the way.
    pub exceeded: Option<Exceeded>,
}

/// Options of a job that this request causes.
#[must_use]
pub fn options(context: &Context) -> Options {
    Options { request_id: Some(context.request_id.clone()), ..Options::default() }
}

/// Waits for a job's outcome.
///
/// # Errors
/// When the database fails, or the outcome is not of this type.
pub async fn outcome<T: DeserializeOwned>(context: &Context, job: JobId) -> Result<Outcome<T>, Problem> {
    understand(wait(context.app.pool(), context.app.signals(), job, context.app.patience()).await?)
}

/// How a job stands now, and since when if it has ended; `None` where that is not known any more.
///
/// # Errors
/// As [`outcome`].
pub async fn standing<T: DeserializeOwned>(
    conn: &mut PgConnection,
    job: JobId,
) -> Result<Option<(Outcome<T>, Option<DateTime<Utc>>)>, Problem> {
    match queue::standing(conn, job).await {
        Ok(standing) => Ok(Some((understand(standing.outcome)?, standing.finished_at))),
        Err(queue::WaitError::Unknown(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn understand<T: DeserializeOwned>(waited: Waited) -> Result<Outcome<T>, Problem> {
    Ok(match waited {
        Waited::Done(value) => Outcome::Done(serde_json::from_value(value).map_err(Problem::internal)?),
        Waited::Failed { error_class, error, details } => Outcome::Failed(Failure {
            class: error_class,
            message: error,
            field: details.as_ref().and_then(|details| details.get("field")).and_then(Value::as_str).map(str::to_owned),
            exceeded: details.and_then(|details| serde_json::from_value(details).ok()),
        }),
        Waited::Cancelled => Outcome::Failed(Failure {
            class: "cancelled".to_owned(),
            message: "an operator cancelled the job: try again".to_owned(),
            field: None,
            exceeded: None,
        }),
        Waited::Pending => Outcome::Pending,
    })
}

impl Failure {
    /// The failure as an answer: `known` gives the status of each class that the operation expects; any other is our fault.
    #[must_use]
    pub fn into_problem(self, known: &[(&'static str, Kind)]) -> Problem {
        let Some((class, kind)) = known.iter().find(|(class, _)| *class == self.class) else {
            return Problem::internal(format!("{}: {}", self.class, self.message));
        };
        if let (Kind::PlanLimit(what), Some(exceeded)) = (kind, self.exceeded) {
            return Problem::PaymentRequired(PlanLimit::exceeded(what, exceeded));
        }
        let fields = self.field.map(|field| FieldError { field, message: self.message.clone() }).into_iter().collect();
        match kind {
            Kind::BadRequest => Problem::BadRequest { class, message: self.message, fields },
            Kind::Unprocessable => Problem::Unprocessable { class, message: self.message, fields },
            Kind::Conflict | Kind::PlanLimit(_) => Problem::conflict(class, self.message),
            Kind::Taken(field) => {
                Problem::Conflict { class, message: self.message, field: Some(field), retry_after: None }
            }
            Kind::BadGateway => Problem::BadGateway { class, message: self.message },
            Kind::NotFound(what) => Problem::not_found(what),
        }
    }
}

/// Which answer a class of failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400.
    BadRequest,
    /// 422.
    Unprocessable,
    /// 402, with what the plan counts.
    PlanLimit(&'static str),
    /// 409.
    Conflict,
    /// 409, with the field whose value somebody else has.
    Taken(&'static str),
    /// 502.
    BadGateway,
    /// 404, with what was looked for.
    NotFound(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: &str) -> Failure {
        Failure { class: class.to_owned(), message: "no".to_owned(), field: Some("state".to_owned()), exceeded: None }
    }

    #[test]
    fn a_known_class_names_its_field_and_an_unknown_one_is_ours() {
        let known = [("state_truncated", Kind::Unprocessable)];
        let problem = failure("state_truncated").into_problem(&known);
        assert_eq!((problem.status().as_u16(), problem.class()), (422, "state_truncated"));
        assert_eq!(failure("timeout").into_problem(&known).status().as_u16(), 500);
    }
}
