//! What a feeder remembers of where work is, so that claims stay cheap beside an old snapshot.
//!
//! While some transaction holds an old snapshot, Postgres keeps the index entries of every job that ended since, and a look at
//! everything walks over all of them. So a feeder remembers the streams it was given work from, and up to which time, and
//! looks only there and from there on, until a look everywhere is worth its price again: one may cost at most a tenth
//! of the time. Where looks are cheap, which is nearly always, every look is one everywhere. The price is that of the cheapest
//! of the last few looks: one that waited for a processor, or whose plans were made first, says nothing.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::claim::{Claims, Look, Stream};

/// How many times its own duration passes between two looks everywhere.
const SPARE: u32 = 10;
/// Looks whose prices are remembered; the first ones, until there are so many, are free.
const LOOKS: usize = 4;
/// Streams remembered; with more, the memory begins anew.
const MAX_STREAMS: usize = 500;

/// The memory of one feeder.
#[derive(Debug)]
pub(super) struct Known {
    streams: HashMap<Stream, DateTime<Utc>>,
    /// The stream served last.
    after: Stream,
    /// What the last looks everywhere cost.
    prices: [Duration; LOOKS],
    /// Not before this may be looked everywhere again.
    due: Instant,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { streams: HashMap::new(), after: Stream::default(), prices: [Duration::ZERO; LOOKS], due: Instant::now() }
    }

    /// When it may be looked everywhere again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The stream served last.
    pub(super) fn after(&self) -> &Stream {
        &self.after
    }

    /// The streams to look into meanwhile, in an order that changes.
    pub(super) fn streams(&self) -> Vec<(Stream, DateTime<Utc>)> {
        let mut streams: Vec<_> = self.streams.iter().map(|(stream, since)| (stream.clone(), *since)).collect();
        if let Some(last) = streams.iter().position(|(stream, _)| *stream == self.after) {
            streams.rotate_left(last + 1);
        }
        streams
    }

    /// Learns from what a look brought.
    pub(super) fn learn(&mut self, look: &Look<'_>, claims: &Claims) {
        if let Look::Everywhere { .. } = look {
            self.prices.rotate_right(1);
            self.prices[0] = claims.walked;
            self.due = Instant::now() + self.prices.iter().min().copied().unwrap_or_default() * SPARE;
        }
        let Some(last) = claims.jobs.last() else { return };
        self.after = last.stream.clone();
        let mut newest: HashMap<&Stream, DateTime<Utc>> = HashMap::new();
        for job in &claims.jobs {
            let since = newest.entry(&job.stream).or_insert(job.run_at);
            *since = job.run_at.max(*since);
        }
        if self.streams.len() + newest.len() > MAX_STREAMS {
            self.streams.clear();
        }
        // A look everywhere may find work before what was known: then it goes on from there.
        self.streams.extend(newest.into_iter().map(|(stream, since)| (stream.clone(), since)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_slow_look_does_not_blind_it_and_slow_looks_do() {
        let mut known = Known::new();
        let (after, slow) = (Stream::default(), Claims { walked: Duration::from_secs(1), ..Claims::default() });
        for _ in 0..LOOKS - 1 {
            known.learn(&Look::Everywhere { after: &after }, &slow);
            assert!(known.due() <= Instant::now());
        }
        known.learn(&Look::Everywhere { after: &after }, &slow);
        assert!(known.due() > Instant::now() + Duration::from_secs(9));
    }
}
