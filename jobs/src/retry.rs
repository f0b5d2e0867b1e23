//! When to try again.
//!
//! Every kind declares its schedule as a constant, [`Backoff`]; nothing computes delays by hand. This is the only file
//! that names the `backoff` crate: it is unmaintained (RUSTSEC-2025-0012), so the day it must go, it goes from here.
//!
//! Delays are jittered, because jobs that failed together (a cloud that throttled, a receiver that went away) must
//! not come back together.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use rand::RngExt as _;

/// Waiting before the next attempt, as a function of the attempts that failed so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backoff {
    /// `base · factorⁿ⁻¹` after the n-th failure, at most `cap`, with full jitter: the delay is drawn evenly from zero
    /// to that value.
    Exponential {
        /// The ceiling of the first delay.
        base: Duration,
        /// By how much the ceiling grows with each failure; at least 1.
        factor: f64,
        /// The highest ceiling.
        cap: Duration,
    },
    /// A fixed table: the n-th failure waits its n-th entry, later ones the last, plus up to `jitter` of it.
    Table {
        /// The delays, in order; an empty table means at once.
        delays: &'static [Duration],
        /// The share of the delay that is added at random, 0.2 for up to 20 %.
        jitter: f64,
    },
}

impl Backoff {
    /// What suits most kinds: full jitter under 2 s, 4 s, 8 s … 10 min.
    pub const STANDARD: Self =
        Self::Exponential { base: Duration::from_secs(2), factor: 2.0, cap: Duration::from_mins(10) };

    /// For jobs that a request waits for: full jitter under 0.25 s, 0.5 s … 2 s.
    pub const PROMPT: Self =
        Self::Exponential { base: Duration::from_millis(250), factor: 2.0, cap: Duration::from_secs(2) };

    /// The longest that [`delay`](Self::delay) can be after `failures` failed attempts (1 after the first).
    #[must_use]
    pub fn ceiling(&self, failures: u16) -> Duration {
        let nth = failures.max(1);
        match *self {
            Self::Exponential { base, factor, cap } => {
                let grown = base.as_secs_f64() * factor.max(1.0).powi(i32::from(nth) - 1);
                Duration::try_from_secs_f64(grown).unwrap_or(cap).min(cap)
            }
            Self::Table { delays, jitter } => nth_or_last(delays, nth).mul_f64(1.0 + jitter.max(0.0)),
        }
    }

    /// How long to wait after `failures` failed attempts (1 after the first).
    #[must_use]
    pub fn delay(&self, failures: u16) -> Duration {
        match *self {
            Self::Exponential { .. } => full_jitter(self.ceiling(failures)),
            Self::Table { delays, jitter } => {
                let share = rand::rng().random::<f64>() * jitter.max(0.0);
                nth_or_last(delays, failures.max(1)).mul_f64(1.0 + share)
            }
        }
    }
}

fn nth_or_last(delays: &[Duration], nth: u16) -> Duration {
    let index = usize::from(nth - 1).min(delays.len().saturating_sub(1));
    delays.get(index).copied().unwrap_or_default()
}

/// Evenly from zero to `ceiling`: an interval of half the ceiling, randomised by its whole length to either side.
fn full_jitter(ceiling: Duration) -> Duration {
    steps(ceiling / 2, 1.0, ceiling / 2, 1.0).next_backoff().unwrap_or(ceiling).min(ceiling)
}

fn steps(first: Duration, factor: f64, cap: Duration, randomization: f64) -> ExponentialBackoff {
    let mut steps = ExponentialBackoff {
        initial_interval: first,
        multiplier: factor,
        max_interval: cap,
        randomization_factor: randomization,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    steps.reset();
    steps
}

/// Pauses of a loop that must outlive its database: 100 ms doubling to 5 s, each up or down by half at random, without
/// end; [`reset`](Self::reset) after a success.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Default for Pauses {
    fn default() -> Self {
        Self(steps(Duration::from_millis(100), 2.0, Duration::from_secs(5), 0.5))
    }
}

impl Pauses {
    /// The next pause; each call makes the following one longer.
    pub fn next_pause(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// Starts again from the shortest pause.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// `mean`, up or down by up to a quarter at random: for polls, so that processes do not poll in step.
#[must_use]
pub fn jittered(mean: Duration) -> Duration {
    mean.mul_f64(0.75 + 0.5 * rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn exponential_ceilings_grow_to_the_cap_and_never_overflow() {
        let backoff = Backoff::Exponential { base: SECOND, factor: 3.0, cap: SECOND * 60 };
        let ceilings: Vec<_> = [0, 1, 2, 3, 4, 5, u16::MAX].map(|n| backoff.ceiling(n).as_secs()).to_vec();
        assert_eq!(ceilings, [1, 1, 3, 9, 27, 60, 60]);
    }

    #[test]
    fn full_jitter_covers_the_whole_range_and_no_more() {
        let backoff = Backoff::Exponential { base: SECOND, factor: 2.0, cap: SECOND * 8 };
        let drawn: Vec<_> = (0..2_000).map(|_| backoff.delay(3)).collect();
        let (low, high) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
        assert!(*high <= SECOND * 4, "{high:?} is above the ceiling");
        assert!(*low < SECOND / 5 && *high > SECOND * 38 / 10, "{low:?}..{high:?} leaves a part out");
    }

    #[test]
    fn a_table_is_followed_in_order_and_its_last_entry_stays() {
        const DELAYS: &[Duration] = &[Duration::ZERO, Duration::from_secs(5)];
        let backoff = Backoff::Table { delays: DELAYS, jitter: 0.2 };
        assert_eq!(backoff.delay(1), Duration::ZERO);
        for failures in [2, 3, 300] {
            let delay = backoff.delay(failures);
            assert!(delay >= SECOND * 5 && delay <= SECOND * 6, "{delay:?} after {failures}");
        }
        assert_eq!(Backoff::Table { delays: &[], jitter: 1.0 }.delay(1), Duration::ZERO);
    }

    #[test]
    fn pauses_grow_and_start_again() {
        let mut pauses = Pauses::default();
        let first = pauses.next_pause();
        let later = (0..20).map(|_| pauses.next_pause()).last().unwrap();
        assert!(first <= Duration::from_millis(150) && later >= Duration::from_millis(2_500), "{first:?} {later:?}");
        pauses.reset();
        assert!(pauses.next_pause() <= Duration::from_millis(150));
    }
}
