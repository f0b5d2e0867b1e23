//! What became of jobs, by the minute: counted in memory by whoever runs them, flushed every few seconds.
//!
//! Counting takes a lock and no statement, so no job waits for it. A flush that fails keeps its counts for the next one;
//! one whose answer is lost may count twice, which rates can bear. A job that died with its worker is counted by nobody:
//! the census sees it among the dead.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::verdict::Verdict;

/// Hours for which minutes are kept.
const KEPT_HOURS: i32 = 24;
/// Old minutes deleted in one statement.
const MINUTES_AT_ONCE: i64 = 10_000;

/// Attempts of one kind that ended in one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    jobs: i64,
    ran_us: i64,
    ran_max_us: i64,
    waited_us: i64,
    waited_max_us: i64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.ran_us = self.ran_us.saturating_add(other.ran_us);
        self.ran_max_us = self.ran_max_us.max(other.ran_max_us);
        self.waited_us = self.waited_us.saturating_add(other.waited_us);
        self.waited_max_us = self.waited_max_us.max(other.waited_max_us);
    }
}

/// How long an attempt took, and how long it could have been running before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub ran: Duration,
    pub waited: Duration,
}

/// The attempts of one queue's jobs that ended in this process since the last flush.
#[derive(Debug)]
pub struct Counts {
    queue: String,
    /// By kind, then by verdict, of which there are a handful.
    kinds: Mutex<HashMap<String, Vec<(&'static str, Tally)>>>,
}

impl Counts {
    pub(super) fn new(queue: &str) -> Self {
        Self { queue: queue.to_owned(), kinds: Mutex::default() }
    }

    /// Counts an attempt; one that was handed back is none.
    pub(super) fn record(&self, kind: &str, verdict: &Verdict, times: Times) {
        if *verdict == Verdict::HandBack {
            return;
        }
        let (ran_us, waited_us) = (micros(times.ran), micros(times.waited));
        let tally = Tally { jobs: 1, ran_us, ran_max_us: ran_us, waited_us, waited_max_us: waited_us };
        self.add(kind, verdict.name(), tally);
    }

    fn add(&self, kind: &str, verdict: &'static str, tally: Tally) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked up before it is inserted, so that counting allocates nothing but at a kind's first job.
        let Some(verdicts) = kinds.get_mut(kind) else {
            kinds.insert(kind.to_owned(), vec![(verdict, tally)]);
            return;
        };
        match verdicts.iter_mut().find(|(name, _)| *name == verdict) {
            Some((_, sum)) => sum.add(tally),
            None => verdicts.push((verdict, tally)),
        }
    }

    fn take(&self) -> Vec<(String, &'static str, Tally)> {
        let kinds = std::mem::take(&mut *self.kinds.lock().unwrap_or_else(PoisonError::into_inner));
        let flat = kinds.into_iter().flat_map(|(kind, verdicts)| {
            verdicts.into_iter().map(move |(verdict, tally)| (kind.clone(), verdict, tally))
        });
        flat.collect()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Counts that are being written; they go back where they came from unless they were.
struct Taken<'a> {
    counts: &'a [Arc<Counts>],
    tallies: BTreeMap<(usize, String, &'static str), Tally>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for ((lane, kind, verdict), tally) in std::mem::take(&mut self.tallies) {
            self.counts[lane].add(&kind, verdict, tally);
        }
    }
}

/// Adds what was counted to the present minute. What could not be written stays counted, also when this is dropped.
///
/// # Errors
/// When the database refuses.
pub async fn flush(pool: &PgPool, counts: &[Arc<Counts>]) -> sqlx::Result<()> {
    let mut taken = Taken { counts, tallies: BTreeMap::new() };
    for (lane, of_lane) in counts.iter().enumerate() {
        let tallies = of_lane.take().into_iter().map(|(kind, verdict, tally)| ((lane, kind, verdict), tally));
        taken.tallies.extend(tallies);
    }
    if taken.tallies.is_empty() {
        return Ok(());
    }
    let queues: Vec<String> = taken.tallies.keys().map(|(lane, ..)| counts[*lane].queue.clone()).collect();
    let kinds: Vec<String> = taken.tallies.keys().map(|(_, kind, _)| kind.clone()).collect();
    let verdicts: Vec<String> = taken.tallies.keys().map(|(.., verdict)| (*verdict).to_owned()).collect();
    let column = |of: fn(&Tally) -> i64| taken.tallies.values().map(of).collect::<Vec<i64>>();
    // In the key's order, so that processes that flush at the same moment wait for each other in one direction.
    sqlx::query!(
        "INSERT INTO queue_minute AS m
                (minute, queue, kind, verdict, jobs, ran_us, ran_max_us, waited_us, waited_max_us)
         SELECT date_trunc('minute', now()), t.*
           FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[]) AS t(queue, kind, verdict, jobs, ran_us, ran_max_us, waited_us, waited_max_us)
          ORDER BY t.queue, t.kind, t.verdict
         ON CONFLICT (minute, queue, kind, verdict) DO UPDATE
            SET jobs = m.jobs + excluded.jobs,
                ran_us = m.ran_us + excluded.ran_us, ran_max_us = greatest(m.ran_max_us, excluded.ran_max_us),
                waited_us = m.waited_us + excluded.waited_us,
                waited_max_us = greatest(m.waited_max_us, excluded.waited_max_us)",
        &queues,
        &kinds,
        &verdicts,
        &column(|tally| tally.jobs),
        &column(|tally| tally.ran_us),
        &column(|tally| tally.ran_max_us),
        &column(|tally| tally.waited_us),
        &column(|tally| tally.waited_max_us),
    )
    .execute(pool)
    .await?;
    taken.tallies.clear();
    Ok(())
}

/// Deletes minutes of more than a day ago; says how many rows.
///
/// # Errors
/// When the database refuses.
pub async fn expire(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let mut total = 0;
    loop {
        let expired = sqlx::query!(
            "DELETE FROM queue_minute WHERE (minute, queue, kind, verdict) IN
               (SELECT minute, queue, kind, verdict FROM queue_minute WHERE minute < now() - make_interval(hours => $1)
                 ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED)",
            KEPT_HOURS,
            MINUTES_AT_ONCE,
        )
        .execute(&mut *conn)
        .await?
        .rows_affected();
        total += expired;
        if expired == 0 {
            return Ok(total);
        }
    }
}

/// What became of a queue's jobs of late.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// The queue.
    pub queue: String,
    /// How attempts ended.
    pub verdict: String,
    /// Attempts in the last five minutes and the begun one.
    pub jobs_5: i64,
    /// Attempts in the last sixty minutes and the begun one.
    pub jobs_60: i64,
    /// How long those sixty minutes' attempts ran, together, in milliseconds.
    pub ran_ms: f64,
    /// How long the longest of them ran, in milliseconds.
    pub ran_max_ms: f64,
    /// How long they had been ready before, together, in milliseconds.
    pub waited_ms: f64,
    /// How long the one that waited longest had, in milliseconds.
    pub waited_max_ms: f64,
    /// How much of the begun minute is over, in minutes: five and this is what [`Pace::jobs_5`] happened in.
    pub begun: f64,
}

/// The last hour, by queue and verdict.
///
/// # Errors
/// When the database refuses.
pub async fn last_hour(conn: &mut PgConnection) -> sqlx::Result<Vec<Pace>> {
    sqlx::query_as!(
        Pace,
        r#"SELECT queue, verdict, sum(jobs)::bigint AS "jobs_60!",
                  coalesce(sum(jobs) FILTER (WHERE minute >= date_trunc('minute', now()) - interval '5 minutes'), 0)::bigint
                    AS "jobs_5!",
                  sum(ran_us)::float8 / 1000 AS "ran_ms!", max(ran_max_us)::float8 / 1000 AS "ran_max_ms!",
                  sum(waited_us)::float8 / 1000 AS "waited_ms!", max(waited_max_us)::float8 / 1000 AS "waited_max_ms!",
                  (extract(epoch FROM now() - date_trunc('minute', now())) / 60)::float8 AS "begun!"
             FROM queue_minute WHERE minute >= date_trunc('minute', now()) - interval '60 minutes'
            GROUP BY queue, verdict ORDER BY queue, verdict"#,
    )
    .fetch_all(conn)
    .await
}
