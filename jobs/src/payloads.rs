//! What of a job's payload may be seen, and by whom.
//!
//! A payload should hold no secret, but carries ids; where one must, its kind says which fields
//! ([`Job::SECRET_FIELDS`](crate::kinds::Job::SECRET_FIELDS)), and nobody sees those. What is no payload of a known kind may hide
//! a secret anywhere: only operators see it, who have to find out what it is.

use serde::Serialize;
use serde_json::Value;

use crate::kinds::{Known, known};

/// Stands where a secret is.
const REDACTED: &str = "[redacted]";
/// The most that is shown of what cannot be decoded, in bytes.
const MOST_TEXT: usize = 64 * 1024;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever runs the installation.
    Operators,
    /// The organisation whose job it is.
    Organisation,
}

/// A payload as somebody may see it: at most one of the two, neither where it is not for them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Shown {
    /// The payload, without its secrets.
    pub payload: Option<Value>,
    /// The beginning of what is no payload of its kind, or of a kind that is not known here.
    pub payload_text: Option<String>,
}

impl Shown {
    /// Whatever is shown, as one value.
    #[must_use]
    pub fn into_value(self) -> Option<Value> {
        self.payload.or(self.payload_text.map(Value::String))
    }
}

/// Shows the payload of a job of this kind.
#[must_use]
pub fn shown(kind: &str, payload: &str, audience: Audience) -> Shown {
    shown_by(known(kind), payload, audience)
}

fn shown_by(known: Option<&Known>, payload: &str, audience: Audience) -> Shown {
    if let Some(known) = known
        && (known.decodes)(payload)
        && let Ok(mut payload) = serde_json::from_str::<Value>(payload)
    {
        for pointer in known.secret_fields {
            if let Some(secret) = payload.pointer_mut(pointer) {
                *secret = Value::from(REDACTED);
            }
        }
        return Shown { payload: Some(payload), payload_text: None };
    }
    let text = || payload[..payload.floor_char_boundary(MOST_TEXT)].to_owned();
    Shown { payload: None, payload_text: (audience == Audience::Operators).then(text) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::kinds::Job;

    #[derive(Serialize, Deserialize)]
    struct Login {
        user: String,
        password: String,
        extra: Option<Value>,
    }

    impl Job for Login {
        const KIND: &'static str = "login";
        const QUEUE: &'static str = "test";
        const MAX_ATTEMPTS: i16 = 1;
        const TIMEOUT: Duration = Duration::from_secs(1);
        const SECRET_FIELDS: &'static [&'static str] = &["/password", "/extra/token"];

        fn tenant(&self) -> Option<Uuid> {
            None
        }
    }

    fn login(payload: &str, audience: Audience) -> Shown {
        shown_by(Some(&Known::of::<Login>()), payload, audience)
    }

    #[test]
    fn secrets_are_shown_to_nobody() {
        let payload = r#"{"user":"a","password":"hunter2","extra":{"token":{"deep":"hunter2"},"n":1},"newer":true}"#;
        for audience in [Audience::Operators, Audience::Organisation] {
            let expected =
                json!({"user": "a", "password": REDACTED, "extra": {"token": REDACTED, "n": 1}, "newer": true});
            assert_eq!(login(payload, audience).payload, Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_for_operators_and_cut_to_size() {
        let huge = "ä".repeat(MOST_TEXT);
        for payload in ["no json", r#"{"user":1}"#, &huge] {
            assert_eq!(login(payload, Audience::Organisation), Shown::default());
            let text = login(payload, Audience::Operators).payload_text.unwrap();
            assert!(payload.starts_with(&text) && text.len() <= MOST_TEXT);
        }
        assert_eq!(shown("from_the_future", "{}", Audience::Organisation), Shown::default());
        assert_eq!(shown("from_the_future", "{}", Audience::Operators).payload_text.as_deref(), Some("{}"));
    }
}
