//! What goes wrong, as the caller is told it.
//!
//! Policy, in the order in which a request meets it:
//! - The form is wrong (JSON, types, unknown fields or parameters, headers): [`Problem::BadRequest`], 400.
//! - The credential is missing, wrong, expired or revoked: [`Problem::Unauthenticated`], 401, with its own class each.
//! - The credential is fine but its kind, scope or role is not enough: [`Problem::Forbidden`], 403.
//! - The thing is not there, or belongs to another organisation, or its id in the path is no id: [`Problem::NotFound`], 404.
//!   Never 403 for somebody else's thing: that would tell that it exists.
//! - The form is right but a value is not (a length, a time in the past, an id of something that is not there):
//!   [`Problem::Unprocessable`], 422, naming the field.
//! - The thing's state forbids it, or the name is taken: [`Problem::Conflict`], 409.
//! - The plan does not allow it: [`Problem::PaymentRequired`], 402.
//! - Too often: [`Problem::RateLimited`], 429. A remote backend failed: [`Problem::BadGateway`], 502. Too busy or without a
//!   database: [`Problem::Unavailable`], 503.
//! - Anything else is ours: [`Problem::Internal`], 500. Its cause is logged with the request's id and never told.
//!
//! The database is the last word on uniqueness: `?` on a query turns a broken constraint into the field it is about (see
//! `database`). A caller can rely on status and `error_class`; `error` and `detail` are for people and may change.

mod body;
mod database;
mod faults;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use jobs::domain::Plan;
use jobs::plan::{self, Exceeded};
use salvo::http::{Method, StatusCode};
use serde::Serialize;

pub use body::{PaymentRequired, ProblemBody, render, response};
pub use faults::Faults;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, salvo::oapi::ToSchema)]
#[salvo(schema(name = "FieldError"))]
pub struct FieldError {
    /// Path of the field in the body, such as `filter.regions[0]`, or a parameter's name.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A plan's limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLimit {
    /// Which one: a word of the contract such as `plan_limit_exceeded`.
    pub code: &'static str,
    /// Plan and numbers.
    pub exceeded: Exceeded,
    /// What a person is told.
    pub message: String,
}

impl PlanLimit {
    /// Checks that `limit` has room for `more` beside `used` things.
    ///
    /// # Errors
    /// 402 where it has not.
    pub fn check(what: &'static str, plan: Plan, limit: plan::Limit, (used, more): (i64, i64)) -> Result<(), Problem> {
        plan::check_room(plan, limit, (used, more))
            .map_err(|exceeded| Problem::PaymentRequired(Self::exceeded(what, exceeded)))
    }

    /// Checks that a plan allows firings of a schedule so close to each other.
    ///
    /// # Errors
    /// 402 where it does not; `limit` and `used` are seconds then.
    pub fn check_interval(plan: Plan, interval: Duration) -> Result<(), Problem> {
        plan::check_interval(plan, interval).map_err(|too_frequent| {
            let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            let (limit, used) = (seconds(too_frequent.least), seconds(too_frequent.interval));
            let message = too_frequent.message();
            Problem::PaymentRequired(Self {
                code: "plan_schedule_frequency",
                exceeded: Exceeded { plan, limit, used },
                message,
            })
        })
    }

    /// The limit that was found to leave no room for more of `what`: things that are counted, in words and in the plural.
    #[must_use]
    pub fn exceeded(what: &'static str, exceeded: Exceeded) -> Self {
        Self { code: "plan_limit_exceeded", exceeded, message: exceeded.message(what) }
    }
}

impl fmt::Display for PlanLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An answer other than the one asked for. See the module's policy for which to use.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// 400: the form of the request is wrong.
    #[error("{message}")]
    BadRequest {
        /// Stable name.
        class: &'static str,
        /// What is wrong.
        message: String,
        /// Where, if that is known.
        fields: Vec<FieldError>,
    },
    /// 401: the credential does not hold.
    #[error("{message}")]
    Unauthenticated {
        /// Stable name; each reason has its own.
        class: &'static str,
        /// What is wrong with the credential, without repeating it.
        message: Cow<'static, str>,
    },
    /// 402: the plan does not allow it.
    #[error("{0}")]
    PaymentRequired(PlanLimit),
    /// 403: the credential is fine but not enough.
    #[error("{message}")]
    Forbidden {
        /// `insufficient_role`, `insufficient_scope`, `user_token_required`, …
        class: &'static str,
        /// What is needed.
        message: String,
    },
    /// 404: not there, or not the caller's.
    #[error("no such {what}")]
    NotFound {
        /// What was looked for, such as `API key`.
        what: Cow<'static, str>,
    },
    /// 405: the path exists, the method does not.
    #[error("{method} is not possible here: the Allow header lists what is")]
    MethodNotAllowed {
        /// The method that was tried.
        method: Method,
    },
    /// 409: the state of the thing forbids it.
    #[error("{message}")]
    Conflict {
        /// Stable name.
        class: &'static str,
        /// What forbids it.
        message: String,
        /// The field whose value is taken, if that is the reason.
        field: Option<&'static str>,
        /// When to try again, if trying again helps.
        retry_after: Option<Duration>,
    },
    /// 410: it was there and is gone for good.
    #[error("{message}")]
    Gone {
        /// Stable name.
        class: &'static str,
        /// What is gone, and why.
        message: String,
    },
    /// 413: the body is too large.
    #[error("the {} is larger than the {limit} bytes that are taken here", field.unwrap_or("body"))]
    TooLarge {
        /// Most bytes.
        limit: usize,
        /// What the operation calls the body, if it has a name for it.
        field: Option<&'static str>,
    },
    /// 415: the body is not of a type that is understood.
    #[error("{message}")]
    UnsupportedMediaType {
        /// What is expected.
        message: String,
    },
    /// 422: well-formed but invalid.
    #[error("{message}")]
    Unprocessable {
        /// Stable name.
        class: &'static str,
        /// What is wrong.
        message: String,
        /// Which fields.
        fields: Vec<FieldError>,
    },
    /// 429: too often.
    #[error("too many {what}: try again in {} s", .retry_after.as_secs().max(1))]
    RateLimited {
        /// What was too often, such as `requests`.
        what: &'static str,
        /// When the next one may come.
        retry_after: Duration,
    },
    /// 502: a remote backend failed.
    #[error("{message}")]
    BadGateway {
        /// Stable name.
        class: &'static str,
        /// Which backend, and what it said, without secrets.
        message: String,
    },
    /// 503: cannot be served now.
    #[error("{message}")]
    Unavailable {
        /// Stable name.
        class: &'static str,
        /// Why.
        message: &'static str,
    },
    /// 500: our fault. The cause is logged, not told.
    #[error("internal error")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl Problem {
    /// 400 about the request as a whole.
    pub fn bad_request(class: &'static str, message: impl Into<String>) -> Self {
        Self::BadRequest { class, message: message.into(), fields: Vec::new() }
    }

    /// 400 about a query parameter or a header.
    pub fn bad_parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::BadRequest {
            class: "invalid_parameter",
            message: format!("{name}: {message}"),
            fields: vec![FieldError { field: name.to_owned(), message }],
        }
    }

    /// 401.
    #[must_use]
    pub const fn unauthenticated(class: &'static str, message: &'static str) -> Self {
        Self::Unauthenticated { class, message: Cow::Borrowed(message) }
    }

    /// 403.
    pub fn forbidden(class: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { class, message: message.into() }
    }

    /// 404.
    #[must_use]
    pub const fn not_found(what: &'static str) -> Self {
        Self::NotFound { what: Cow::Borrowed(what) }
    }

    /// 404 that says what there is instead.
    #[must_use]
    pub const fn no_such(what: String) -> Self {
        Self::NotFound { what: Cow::Owned(what) }
    }

    /// 409.
    pub fn conflict(class: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { class, message: message.into(), field: None, retry_after: None }
    }

    /// 422 about one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self::Unprocessable {
            class: "invalid_value",
            message: format!("{field}: {message}"),
            fields: vec![FieldError { field, message }],
        }
    }

    /// 422 about several fields at once; `fields` must not be empty.
    #[must_use]
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let message =
            fields.iter().map(|field| format!("{}: {}", field.field, field.message)).collect::<Vec<_>>().join("; ");
        Self::Unprocessable { class: "invalid_value", message, fields }
    }

    /// 500 with its cause, for the log.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// The answer's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::PaymentRequired(_) => StatusCode::PAYMENT_REQUIRED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Gone { .. } => StatusCode::GONE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BadGateway { .. } => StatusCode::BAD_GATEWAY,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable name in `error_class`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::BadRequest { class, .. }
            | Self::Unauthenticated { class, .. }
            | Self::Forbidden { class, .. }
            | Self::Conflict { class, .. }
            | Self::Gone { class, .. }
            | Self::Unprocessable { class, .. }
            | Self::BadGateway { class, .. }
            | Self::Unavailable { class, .. } => class,
            Self::PaymentRequired(limit) => limit.code,
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::TooLarge { .. } => "body_too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::RateLimited { .. } => "rate_limited",
            Self::Internal(_) => "internal",
        }
    }

    /// When to try again, for `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Conflict { retry_after, .. } => *retry_after,
            Self::Unavailable { .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::BadRequest { fields, .. } | Self::Unprocessable { fields, .. } => fields.clone(),
            Self::Conflict { field: Some(field), message, .. } => {
                vec![FieldError { field: (*field).to_owned(), message: message.clone() }]
            }
            Self::TooLarge { field: Some(field), .. } => {
                vec![FieldError { field: (*field).to_owned(), message: self.to_string() }]
            }
            _ => Vec::new(),
        }
    }
}
