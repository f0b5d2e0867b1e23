//! Doing much a little at a time: deleting what is old, above all.
//!
//! A batch is one short transaction. After each there is a pause as long as it took, and batches that share a [`Turn`] never overlap,
//! pauses included: so whatever there is to do, half of one connection's time is the most that it takes from everybody else. A run
//! ends after so many batches, or a minute; the next one goes on.
//!
//! A batch says where the next one begins. It need not walk over what the ones before it deleted, which an old snapshot may keep from
//! being removed for hours.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Rows of one batch, where nobody says otherwise: some milliseconds' work.
pub const ROWS: i64 = 1_000;
/// Batches of one run.
const BATCHES: u32 = 1_000;
/// A run begins no batch after this time.
const LONGEST: Duration = Duration::from_mins(1);

/// Whoever shares it works one after the other.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// How a service works through its batches.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The service, for metrics.
    pub service: &'static str,
    /// Rows of one batch at most.
    pub rows: i64,
    /// Batches of one run at most.
    pub batches: u32,
    /// A run begins no batch after this time.
    pub longest: Duration,
    /// With whom it takes turns.
    pub turn: Turn,
}

impl Pace {
    /// The usual one.
    #[must_use]
    pub fn new(service: &'static str, rows: i64, turn: &Turn) -> Self {
        Self { service, rows, batches: BATCHES, longest: LONGEST, turn: turn.clone() }
    }
}

/// A batch that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<P, T = u64> {
    /// What was done.
    pub done: T,
    /// Where the next one begins; `None`: there is nothing left.
    pub next: Option<P>,
}

impl<P> Batch<P> {
    /// Of a batch that may have had `most` rows: fewer means that there are no more of them.
    pub fn of(rows: usize, most: i64, next: impl FnOnce() -> Option<P>) -> Self {
        let done = u64::try_from(rows).unwrap_or(u64::MAX);
        Self { done, next: if done >= most.unsigned_abs() { next() } else { None } }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress<T = u64> {
    /// What was done, all batches together.
    pub done: T,
    /// Whether it ended before all was done.
    pub has_more: bool,
}

/// Runs batches from a place on until nothing is left, or the run is over. Each is counted in `plumbline_maintenance_batch_seconds`, under
/// `what`.
///
/// # Errors
/// The first one of a batch; what was done before it stays done.
pub async fn in_batches<P, T: Default + AddAssign, E, F: Future<Output = Result<Batch<P, T>, E>>>(
    what: &'static str,
    pace: &Pace,
    from: P,
    mut batch: impl FnMut(P, i64) -> F,
) -> Result<Progress<T>, E> {
    let end = Instant::now() + pace.longest;
    let seconds = metrics::histogram!("plumbline_maintenance_batch_seconds", "service" => pace.service, "what" => what);
    let mut progress = Progress::default();
    let mut place = Some(from);
    for nth in 1..=pace.batches {
        let Some(from) = place else { break };
        // Never closed, so there is nothing to do about an error; without a permit it would be a batch beside another one.
        let turn = pace.turn.0.acquire().await;
        let begun = Instant::now();
        let batch = batch(from, pace.rows).await?;
        let took = begun.elapsed();
        seconds.record(took.as_secs_f64());
        progress.done += batch.done;
        place = batch.next;
        // After the last one, too, if it was a full one: whoever comes next shall find the same half free.
        if place.is_some() {
            tokio::time::sleep(took).await;
        }
        drop(turn);
        if nth == pace.batches || Instant::now() >= end {
            break;
        }
    }
    progress.has_more = place.is_some();
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// How long a batch takes here.
    const TAKES: Duration = Duration::from_millis(10);

    fn pace(batches: u32, turn: &Turn) -> Pace {
        Pace { batches, ..Pace::new("test", 10, turn) }
    }

    /// Counts down from a number, ten at a time.
    async fn count_down(left: u64, rows: i64) -> Result<Batch<u64>, Infallible> {
        tokio::time::sleep(TAKES).await;
        let done = left.min(rows.unsigned_abs());
        Ok(Batch::of(usize::try_from(done).unwrap(), rows, || Some(left - done)))
    }

    #[tokio::test]
    async fn a_run_ends_when_nothing_is_left_or_it_has_had_its_batches() {
        let turn = Turn::default();
        let run = async |left, batches| in_batches("numbers", &pace(batches, &turn), left, count_down).await.unwrap();
        assert_eq!(run(25, 5).await, Progress { done: 25, has_more: false });
        assert_eq!(run(20, 5).await, Progress { done: 20, has_more: false });
        assert_eq!(run(0, 5).await, Progress { done: 0, has_more: false });
        assert_eq!(run(25, 2).await, Progress { done: 20, has_more: true });
    }

    #[tokio::test]
    async fn a_run_has_its_time_and_half_of_it_is_pauses() {
        let pace = Pace { longest: TAKES * 10, ..pace(1_000, &Turn::default()) };
        let begun = Instant::now();
        let run = in_batches("numbers", &pace, 10_000, count_down).await.unwrap();
        assert!(run.has_more && begun.elapsed() >= TAKES * 10);
        assert!(run.done <= 50, "five batches and five pauses, not {}", run.done / 10);
    }

    #[tokio::test]
    async fn who_shares_a_turn_is_never_at_it_at_the_same_time_nor_in_the_other_s_pause() {
        let (turn, at_it) = (Turn::default(), AtomicU32::new(0));
        let one = async || {
            let batch = async |left, rows| {
                assert_eq!(at_it.fetch_add(1, Ordering::SeqCst), 0);
                let batch = count_down(left, rows).await;
                at_it.fetch_sub(1, Ordering::SeqCst);
                batch
            };
            in_batches("numbers", &pace(10, &turn), 50, batch).await.unwrap().done
        };
        let begun = Instant::now();
        assert_eq!(tokio::join!(one(), one()), (50, 50));
        // For each six batches, the last of them empty, and five pauses.
        assert!(begun.elapsed() >= TAKES * 22, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn the_first_error_ends_a_run_and_is_told() {
        let calls = AtomicU32::new(0);
        let pace = pace(10, &Turn::default());
        let failed = in_batches("numbers", &pace, 50, |left, rows| {
            let nth = calls.fetch_add(1, Ordering::SeqCst);
            async move { if nth == 1 { Err("refused") } else { count_down(left, rows).await.map_err(|_| "never") } }
        });
        assert_eq!(failed.await.unwrap_err(), "refused");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}
