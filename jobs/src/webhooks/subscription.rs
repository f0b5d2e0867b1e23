//! What an endpoint subscribes to: a list of patterns, each an exact type (`drift.detected`) or a whole group (`drift.*`).
//!
//! Patterns are stored as they were given, and matched as text, so that a process of an older version can live beside one
//! that knows more types.

use std::collections::BTreeSet;

use crate::events::EventType;

/// Patterns that one endpoint may have.
pub const MOST: usize = 10;

/// Patterns that cannot be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// None, or too many.
    #[error(
        "subscribe to 1 to {MOST} patterns, not {0}; a group such as \"drift.*\" stands for all types that begin so"
    )]
    Count(usize),
    /// One that no type matches.
    #[error("no event is called \"{found}\"; there are {allowed}")]
    Unknown {
        /// What was given.
        found: String,
        /// What may be given, separated by commas.
        allowed: String,
    },
}

/// The patterns in the order they were given. One that is given twice counts once: asking twice does no harm, and a client
/// need not keep a list free of repeats.
///
/// # Errors
/// When there are none or more than [`MOST`], or one matches no type of the catalogue.
pub fn parse<S: AsRef<str>>(given: &[S]) -> Result<Vec<String>, Error> {
    let mut patterns: Vec<String> = Vec::new();
    for text in given.iter().map(AsRef::as_ref) {
        if !EventType::ALL.iter().any(|&event_type| matching(event_type).iter().any(|pattern| pattern == text)) {
            return Err(Error::Unknown { found: text.chars().take(100).collect(), allowed: allowed() });
        }
        if !patterns.iter().any(|pattern| pattern == text) {
            patterns.push(text.to_owned());
        }
    }
    if (1..=MOST).contains(&patterns.len()) { Ok(patterns) } else { Err(Error::Count(patterns.len())) }
}

/// Whether somebody who subscribed to these patterns is told of a type.
#[must_use]
pub fn matches(patterns: &[String], event_type: EventType) -> bool {
    matching(event_type).iter().any(|pattern| patterns.contains(pattern))
}

/// The patterns that match a type: its own name, and its group. For queries: `events && $1`.
#[must_use]
pub fn matching(event_type: EventType) -> [String; 2] {
    [event_type.as_str().to_owned(), format!("{}.*", event_type.group())]
}

/// Every pattern there is, groups last.
fn allowed() -> String {
    let types = EventType::ALL.iter().map(|event_type| event_type.as_str().to_owned());
    let groups: BTreeSet<String> =
        EventType::ALL.iter().map(|event_type| format!("{}.*", event_type.group())).collect();
    types.chain(groups).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: &[&str]) -> String {
        parse(given).unwrap_err().to_string()
    }

    #[test]
    fn a_pattern_that_no_type_matches_is_refused_with_the_list_of_those_there_are() {
        for text in
            ["", "*", ".*", "drift", "drift.", "drift.*.*", "dr*", "Drift.*", " drift.*", "drift.changed", "nope.*"]
        {
            let message = refused(&["scan.completed", text]);
            assert!(
                message.starts_with(&format!("no event is called \"{text}\"; there are scan.completed, ")),
                "{message}"
            );
            assert!(message.contains("drift.detected") && message.contains("drift.*"), "{message}");
        }
        assert!(refused(&[&"x".repeat(5_000)]).len() < 600);
    }

    #[test]
    fn none_and_too_many_are_refused() {
        assert!(refused(&[]).contains("1 to 10"));
        let all: Vec<&str> = EventType::ALL.iter().map(|event_type| event_type.as_str()).collect();
        assert!(all.len() > MOST);
        assert!(refused(&all).contains("not 12"));
        assert_eq!(parse(&all[..MOST]).unwrap(), all[..MOST]);
    }

    #[test]
    fn a_pattern_that_is_given_twice_counts_once() {
        assert_eq!(parse(&["drift.*", "scan.failed", "drift.*"]).unwrap(), ["drift.*", "scan.failed"]);
        assert_eq!(parse(&["test.ping"; 50]).unwrap(), ["test.ping"]);
    }

    #[test]
    fn a_group_matches_its_types_and_a_name_itself() {
        let patterns = parse(&["drift.*", "scan.failed", "drift.cleared"]).unwrap();
        let matched: Vec<&str> =
            EventType::ALL.iter().filter(|&&t| matches(&patterns, t)).map(|t| t.as_str()).collect();
        assert_eq!(matched, ["scan.failed", "drift.detected", "drift.cleared"]);
    }

    #[test]
    fn what_a_newer_version_stored_matches_nothing_here() {
        assert!(!matches(&["quota.exceeded".to_owned(), "quota.*".to_owned()], EventType::ScanFailed));
    }
}
