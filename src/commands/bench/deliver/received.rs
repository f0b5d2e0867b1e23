//! What a receiver noted, beside what it should have got.

use crate::commands::bench::clock::{ms_between, per};
use anyhow::{Context as _, Result};
use std::collections::HashMap;

/// A message: the endpoint's number, and the message's id.
pub type Message = (usize, String);

/// Messages that must arrive, each once, with the time of their events' commits.
pub type Expected = HashMap<Message, u64>;

/// Messages whose signature was right, with the time of the first arrival of each.
#[derive(Debug, Default)]
pub struct Received {
    first_ns: HashMap<Message, u64>,
    /// Arrivals after the first.
    pub duplicates: usize,
}

impl Received {
    /// Reads the receiver's notes: endpoint, id and time of an arrival in each line.
    pub fn parse(notes: &str) -> Result<Self> {
        let mut this = Self::default();
        for line in notes.lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().with_context(|| format!("the receiver noted {line:?}"));
            let (endpoint, id, ns) = (word()?.parse()?, word()?.to_owned(), word()?.parse::<u64>()?);
            let duplicates = &mut this.duplicates;
            this.first_ns
                .entry((endpoint, id))
                .and_modify(|first| {
                    *duplicates += 1;
                    *first = ns.min(*first);
                })
                .or_insert(ns);
        }
        Ok(this)
    }

    /// From commit to arrival of those that arrived, in milliseconds.
    pub fn waits_ms(&self, expected: &Expected) -> Vec<f64> {
        let waits = expected.iter().filter_map(|(message, commit)| Some((commit, self.first_ns.get(message)?)));
        waits.map(|(commit, arrival)| ms_between(*commit, *arrival)).collect()
    }

    /// How many messages arrived that nobody expected.
    pub fn unknown(&self, expected: &[&Expected]) -> usize {
        self.first_ns.keys().filter(|message| !expected.iter().any(|these| these.contains_key(*message))).count()
    }

    /// Seconds from the first arrival to the last, and messages a second.
    pub fn pace(&self) -> (f64, f64) {
        let first = self.first_ns.values().min().copied().unwrap_or_default();
        let last = self.first_ns.values().max().copied().unwrap_or_default();
        let seconds = ms_between(first, last) / 1e3;
        (seconds, per(self.first_ns.len(), seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(endpoint: usize, id: &str) -> Message {
        (endpoint, id.to_owned())
    }

    #[test]
    fn what_comes_twice_never_or_from_nowhere_is_found() {
        let received = Received::parse("0 evt_a 7000000\n1 evt_a 9000000\n0 evt_a 8000000\n1 evt_c 9500000\n").unwrap();
        let expected: Expected =
            [(message(0, "evt_a"), 5_000_000), (message(1, "evt_a"), 5_000_000), (message(0, "evt_b"), 6_000_000)]
                .into();
        assert_eq!(received.duplicates, 1);
        assert_eq!(received.unknown(&[&expected]), 1, "evt_c");
        let mut waits = received.waits_ms(&expected);
        waits.sort_by(f64::total_cmp);
        assert_eq!(waits, [2.0, 4.0], "evt_b is missing; the first arrival counts");
    }

    #[test]
    fn notes_that_are_none_are_refused() {
        assert!(Received::parse("0 evt_a").is_err());
        assert!(Received::parse("x evt_a 1").is_err());
    }
}
