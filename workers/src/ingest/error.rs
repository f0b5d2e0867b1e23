//! What can be wrong with a state, or with where it lives.

use std::io;

use drift::state::StateError;
use jobs::queue::JobError;
use serde_json::json;

use crate::cloud::aws::object::ObjectError;
use crate::cloud::{CloudError, ErrorClass};

/// A state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The state itself is at fault: another try gives the same.
    #[error("{reason}")]
    State {
        /// Stable name.
        class: &'static str,
        /// The parser's words.
        reason: String,
    },
    /// Where the state lives is at fault.
    #[error("{0}")]
    Backend(Reason),
    /// Decided at its place.
    #[error(transparent)]
    Job(JobError),
}

/// Why a backend did not give the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Reason {
    /// Stable name.
    pub class: &'static str,
    /// For a person.
    pub message: String,
    /// Whose fault it is.
    pub fault: Fault,
}

/// Whose fault it is that a backend did not give the state: decides what becomes of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's for long: another try may help.
    Passing,
    /// Of whoever registered the source or its account, who is told.
    Callers,
    /// Of whoever runs the installation.
    Ours,
}

/// The class of a backend that has no such state.
pub(crate) const MISSING: &str = "state_missing";

impl From<sqlx::Error> for IngestError {
    fn from(error: sqlx::Error) -> Self {
        Self::Job(error.into())
    }
}

impl From<ObjectError> for Reason {
    fn from(error: ObjectError) -> Self {
        let read = match error {
            ObjectError::Read(read) => read,
            ObjectError::Cloud(error) => {
                let fault = match &error {
                    CloudError::NoPlatformIdentity(_) => Fault::Ours,
                    error if error.is_transient() => Fault::Passing,
                    _ => Fault::Callers,
                };
                return Self { class: "backend_credentials", fault, message: error.to_string() };
            }
        };
        let (class, fault) = match read.class {
            ErrorClass::NotFound => (MISSING, Fault::Callers),
            ErrorClass::AccessDenied => ("backend_denied", Fault::Callers),
            ErrorClass::InvalidCredentials => ("backend_credentials", Fault::Callers),
            ErrorClass::NoPlatformIdentity => ("backend_credentials", Fault::Ours),
            ErrorClass::Throttled => ("backend_throttled", Fault::Passing),
            ErrorClass::Unreachable => ("backend_unreachable", Fault::Passing),
            ErrorClass::ServiceError => ("backend_failed", Fault::Passing),
            ErrorClass::BadRequest | ErrorClass::Unsupported => ("backend_failed", Fault::Ours),
        };
        let message = match read.class {
            ErrorClass::NoPlatformIdentity => read.message,
            _ => format!("the state's bucket answered: {read}"),
        };
        Self { class, message, fault }
    }
}

impl IngestError {
    /// The bytes broke off on their way.
    pub(super) fn broken_off(error: &io::Error) -> Self {
        Self::Backend(Reason {
            class: "backend_failed",
            message: format!("the state's bytes broke off: {error}"),
            fault: Fault::Passing,
        })
    }

    /// The bytes begin like gzip and do not go on so.
    pub(super) fn compression(error: &io::Error) -> Self {
        let (class, reason) = match error.kind() {
            io::ErrorKind::UnexpectedEof => (
                "state_truncated",
                "the compressed state is truncated: it ends in the middle; upload it again".to_owned(),
            ),
            _ => ("state_compression", format!("the state begins like gzip, but cannot be decompressed: {error}")),
        };
        Self::State { class, reason }
    }

    /// What the parser refused.
    pub(super) fn refused(error: &StateError) -> Self {
        let class = match error {
            StateError::Empty => "state_empty",
            StateError::NotJson { .. } | StateError::Utf16 => "state_not_json",
            StateError::Truncated { .. } => "state_truncated",
            StateError::NotAState(_) => "state_malformed",
            StateError::UnsupportedVersion(_) => "state_version_unsupported",
            StateError::Encrypted(_) => "state_encrypted",
            StateError::TooLarge { .. } | StateError::TooManyResources { .. } => "state_too_large",
            StateError::Stopped | StateError::Io(_) => "state_unreadable",
        };
        Self::State { class, reason: error.to_string() }
    }

    /// Whether the backend says that there is no such state.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Backend(reason) if reason.class == MISSING)
    }

    /// The stable name of the failure.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::State { class, .. } => class,
            Self::Backend(reason) => reason.class,
            Self::Job(error) => error.error_class,
        }
    }
}

impl From<IngestError> for JobError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::State { class, reason } => {
                Self::refuse(class, reason).with_details(json!({ "field": "state" }))
            }
            IngestError::Backend(Reason { class, message, fault }) => match fault {
                Fault::Passing => Self::retry(class, message),
                Fault::Callers => Self::refuse(class, message),
                Fault::Ours => Self::fail(class, message),
            },
            IngestError::Job(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use drift::sensitive::SensitiveKey;
    use drift::state::{Limits, read};
    use jobs::kinds::refresh_state_source::{BACKEND_FAULTS, STATE_FAULTS};
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn whoever_waits_knows_each_class() {
        let limits = Limits { max_bytes: 90, ..Limits::default() };
        for bytes in ["", " \n", "x", "{", "{}", "[]", r#"{"version":3}"#, r#"{"version":9}"#, &"[".repeat(100)] {
            let parsed = read(bytes.as_bytes(), &limits, &SensitiveKey::new([0; 32]), |_| ControlFlow::Continue(()));
            let error = IngestError::refused(&parsed.unwrap_err());
            assert!(STATE_FAULTS.contains(&error.class()), "{bytes}: {error}");
        }
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidInput] {
            assert!(STATE_FAULTS.contains(&IngestError::compression(&kind.into()).class()));
        }
        for error in [StateError::Stopped, StateError::Io(io::ErrorKind::Other.into())] {
            assert!(BACKEND_FAULTS.contains(&IngestError::refused(&error).class()));
        }
        assert!(BACKEND_FAULTS.contains(&IngestError::broken_off(&io::ErrorKind::Other.into()).class()));
    }
}
