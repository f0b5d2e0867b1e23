//! What the database refuses, as the field it is about.
//!
//! A query's `?` ends here. Constraints are named in the migrations; a name that is listed below becomes an answer to the
//! caller, any other refusal is our fault.

use sqlx::error::DatabaseError;

use super::{FieldError, Problem};

/// A value that somebody else already has.
struct Taken {
    constraint: &'static str,
    class: &'static str,
    field: &'static str,
    message: &'static str,
}

const TAKEN: &[Taken] = &[
    Taken {
        constraint: "org_slug_key",
        class: "slug_taken",
        field: "slug",
        message: "another organisation has this slug: choose a different one",
    },
    Taken {
        constraint: "cloud_account_identity_key",
        class: "account_exists",
        field: "external_account_id",
        message: "this cloud account is already registered in this organisation",
    },
];

/// A value that the database finds wrong, by its own clock.
struct Wrong {
    constraint: &'static str,
    field: &'static str,
    message: &'static str,
}

const WRONG: &[Wrong] = &[Wrong {
    constraint: "webhook_replay_is_forward",
    field: "since",
    message: "must be in the past and before until",
}];

/// SQLSTATEs of a database that is on its way down or up, is full of connections, or gave up on this transaction in favour
/// of another: trying again helps.
const PASSING: [&str; 7] = ["57P01", "57P02", "57P03", "57014", "53300", "40001", "40P01"];

/// SQLSTATE `character_not_in_repertoire`: a NUL in a text.
const NUL_IN_TEXT: &str = "22021";
/// SQLSTATE `untranslatable_character`: a NUL in a JSON document.
const NUL_IN_JSON: &str = "22P05";

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if refusal.code().is_some_and(|code| PASSING.contains(&&*code)) => {
                unavailable(&error)
            }
            sqlx::Error::Database(refusal) => refused(refusal.as_ref()).unwrap_or_else(|| Self::internal(error)),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => unavailable(&error),
            _ => Self::internal(error),
        }
    }
}

fn unavailable(error: &sqlx::Error) -> Problem {
    tracing::error!(%error, "database cannot be used");
    Problem::Unavailable {
        class: "database_unavailable",
        message: "the database cannot be reached at the moment: try again",
    }
}

fn refused(refusal: &dyn DatabaseError) -> Option<Problem> {
    if matches!(refusal.code().as_deref(), Some(NUL_IN_TEXT | NUL_IN_JSON)) {
        return Some(Problem::Unprocessable {
            class: "invalid_value",
            message: "a text contains the character U+0000, which cannot be stored".to_owned(),
            fields: Vec::<FieldError>::new(),
        });
    }
    let constraint = refusal.constraint()?;
    if let Some(wrong) = WRONG.iter().find(|wrong| wrong.constraint == constraint) {
        return Some(Problem::invalid(wrong.field, wrong.message));
    }
    let taken = TAKEN.iter().find(|taken| taken.constraint == constraint)?;
    Some(Problem::Conflict {
        class: taken.class,
        message: taken.message.to_owned(),
        field: Some(taken.field),
        retry_after: None,
    })
}

impl From<jobs::audit::AppendError> for Problem {
    fn from(error: jobs::audit::AppendError) -> Self {
        match error {
            jobs::audit::AppendError::Database(error) => error.into(),
            other @ jobs::audit::AppendError::Details(_) => Self::internal(other),
        }
    }
}

impl From<jobs::crypto::OpenError> for Problem {
    fn from(error: jobs::crypto::OpenError) -> Self {
        Self::internal(error)
    }
}

impl From<jobs::queue::EnqueueError> for Problem {
    fn from(error: jobs::queue::EnqueueError) -> Self {
        match error {
            jobs::queue::EnqueueError::Database(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<jobs::queue::WaitError> for Problem {
    fn from(error: jobs::queue::WaitError) -> Self {
        match error {
            jobs::queue::WaitError::Database(error) => error.into(),
            other @ jobs::queue::WaitError::Unknown(_) => Self::internal(other),
        }
    }
}

impl From<jobs::schedules::Error> for Problem {
    fn from(error: jobs::schedules::Error) -> Self {
        use jobs::schedules::Error;
        match error {
            Error::Database(error) => error.into(),
            Error::Audit(error) => error.into(),
            Error::Enqueue(error) => error.into(),
        }
    }
}

impl From<jobs::webhooks::endpoint::ChangeError> for Problem {
    fn from(error: jobs::webhooks::endpoint::ChangeError) -> Self {
        use jobs::webhooks::endpoint::ChangeError;
        match error {
            ChangeError::Database(error) => error.into(),
            ChangeError::Audit(error) => error.into(),
            in_grace @ ChangeError::InGrace(_) => Self::conflict("rotation_in_grace", in_grace.to_string()),
            sealed @ ChangeError::Sealed(_) => Self::internal(sealed),
        }
    }
}

impl From<jobs::webhooks::replay::ReplayError> for Problem {
    fn from(error: jobs::webhooks::replay::ReplayError) -> Self {
        use jobs::webhooks::replay::ReplayError;
        match error {
            ReplayError::Database(error) => error.into(),
            ReplayError::Enqueue(error) => error.into(),
            ReplayError::Audit(error) => error.into(),
        }
    }
}
