//! Which headers an endpoint may ask for, beside those that every delivery has.
//!
//! Refused is what frames or routes the request, what we say of ourselves, and what a proxy in between would believe; names
//! and values must be what RFC 9110 (5.1, 5.5, 5.6.2) lets stand in a header, in ASCII.

use std::collections::{BTreeMap, BTreeSet};

/// The most headers of an endpoint.
pub const MOST: usize = 10;

/// The most characters of a name.
pub const LONGEST_NAME: usize = 64;

/// The most characters of a value.
pub const LONGEST_VALUE: usize = 1024;

/// Names that are ours or the protocol's.
const FORBIDDEN: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Beginnings of such names.
const FORBIDDEN_BEGINNINGS: &[&str] = &["proxy-", "sec-", "webhook-", "x-forwarded-"];

/// A header that an endpoint may not ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidHeader {
    /// The field that is wrong: `headers`, or `headers.<name>`.
    pub field: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Too many of them.
    #[error("an endpoint has at most {MOST} headers of its own: leave some out")]
    TooMany,
    /// A name that no header can have.
    #[error("a header's name has 1 to {LONGEST_NAME} characters, letters, digits and any of !#$%&'*+-.^_`|~")]
    Name,
    /// A name that is not the endpoint's to choose.
    #[error("this header is set by us or by the protocol: leave it out")]
    Forbidden,
    /// The same name in another case.
    #[error("this header is there twice, as case makes no difference: keep one")]
    Duplicate,
    /// A value that no header can have, or a long one.
    #[error(
        "a header's value has 1 to {LONGEST_VALUE} characters, visible ones of ASCII, with blanks and tabs between them only"
    )]
    Value,
}

/// Judges the headers of an endpoint.
///
/// # Errors
/// The first that it may not have.
pub fn check(headers: &BTreeMap<String, String>) -> Result<(), InvalidHeader> {
    if headers.len() > MOST {
        return Err(InvalidHeader { field: "headers".to_owned(), reason: Reason::TooMany });
    }
    let mut seen = BTreeSet::new();
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        let reason = if !is_name(name) {
            Reason::Name
        } else if is_forbidden(&lower) {
            Reason::Forbidden
        } else if !is_value(value) {
            Reason::Value
        } else if !seen.insert(lower) {
            Reason::Duplicate
        } else {
            continue;
        };
        return Err(InvalidHeader { field: format!("headers.{}", shown(name)), reason });
    }
    Ok(())
}

/// A token of RFC 9110, 5.6.2.
fn is_name(name: &str) -> bool {
    let token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(token)
}

fn is_forbidden(lower: &str) -> bool {
    FORBIDDEN.contains(&lower) || FORBIDDEN_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning))
}

fn is_value(value: &str) -> bool {
    let blank = |c: u8| matches!(c, b' ' | b'\t');
    let bytes = value.as_bytes();
    (1..=LONGEST_VALUE).contains(&bytes.len())
        && bytes.iter().all(|c| c.is_ascii_graphic() || blank(*c))
        && ![bytes.first(), bytes.last()].into_iter().flatten().any(|c| blank(*c))
}

/// A name in an answer: no longer than a name may be, and nothing that could break a line.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> Option<(String, Reason)> {
        let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        check(&headers).err().map(|error| (error.field, error.reason))
    }

    #[test]
    fn what_frames_the_request_or_speaks_for_us_is_refused() {
        for name in FORBIDDEN.iter().copied().chain([
            "Host",
            "CONTENT-LENGTH",
            "Proxy-Authorization",
            "Sec-Fetch-Site",
            "Webhook-Signature",
            "webhook-id",
            "webhook-anything",
            "X-Forwarded-For",
        ]) {
            assert_eq!(refusal(name, "x"), Some((format!("headers.{name}"), Reason::Forbidden)), "{name}");
        }
    }

    #[test]
    fn names_are_tokens() {
        for name in ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "(a)", "a\n", &"n".repeat(65)] {
            assert_eq!(refusal(name, "x").map(|(_, reason)| reason), Some(Reason::Name), "{name:?}");
        }
        assert_eq!(refusal("a\r\nb", "x").unwrap().0, "headers.a\u{fffd}\u{fffd}b");
        assert_eq!(refusal(&"n".repeat(9000), "x").unwrap().0.len(), "headers.".len() + LONGEST_NAME);
    }

    #[test]
    fn values_stay_on_their_line() {
        for value in ["", " a", "a ", "\ta", "a\nb", "a\r\nWebhook-Id: 1", "a\0b", "ü", "a\u{7f}", &"v".repeat(1025)] {
            assert_eq!(refusal("X-Team", value), Some(("headers.X-Team".to_owned(), Reason::Value)), "{value:?}");
        }
    }

    #[test]
    fn what_authenticates_us_is_welcome() {
        let longest = "n".repeat(LONGEST_NAME);
        let usual = [
            ("Authorization", "Bearer a.b-c".to_owned()),
            ("X-Api-Key", "!~\"\\".to_owned()),
            (longest.as_str(), "a b\tc".to_owned()),
            ("webhooks", "v".repeat(LONGEST_VALUE)),
        ];
        assert_eq!(check(&usual.map(|(name, value)| (name.to_owned(), value)).into()), Ok(()));
    }

    #[test]
    fn there_are_ten_at_most_and_each_once() {
        let numbered = |count: usize| (0..count).map(|n| (format!("X-{n}"), "x".to_owned())).collect();
        assert_eq!(check(&numbered(10)), Ok(()));
        assert_eq!(check(&numbered(11)).unwrap_err().reason, Reason::TooMany);

        let twice = BTreeMap::from(["X-Team", "x-team"].map(|name| (name.to_owned(), "x".to_owned())));
        let error = check(&twice).unwrap_err();
        assert_eq!((error.field.as_str(), error.reason), ("headers.x-team", Reason::Duplicate));
        assert!(error.to_string().starts_with("headers.x-team: this header is there twice"));
    }
}
