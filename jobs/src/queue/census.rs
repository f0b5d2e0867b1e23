//! The census: what waits, runs and is dead, counted now and then by one process and read by everybody.
//!
//! Counting walks the whole of `job` and the index of `dead_job` by kind, so it never happens on a request's path: workers
//! take turns at it, at most every [`EVERY`], and never for more than one part in [`SHARE`] of the time. What is read is
//! therefore as old as its `measured_at` says.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

/// Not counted more often.
pub const EVERY: Duration = Duration::from_secs(10);
/// The next census begins no sooner than so many times as long as the last one took: 2 % of the time.
pub const SHARE: u32 = 50;
/// A turn is given to another process after so long, or after twice what the last census took: its holder has died.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// What there is of one kind in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
    /// Jobs that wait and might run.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs in the hands of a worker.
    pub running: i64,
    /// Dead letters.
    pub dead: i64,
    /// Since when the job that is ready for longest is.
    pub oldest_ready_at: Option<DateTime<Utc>>,
}

impl Counted {
    /// Nothing of this kind.
    #[must_use]
    pub fn none(queue: &str, kind: &str) -> Self {
        let (queue, kind) = (queue.to_owned(), kind.to_owned());
        Self { queue, kind, ready: 0, scheduled: 0, running: 0, dead: 0, oldest_ready_at: None }
    }
}

/// A stored census.
#[derive(Debug, Clone, PartialEq)]
pub struct Census {
    /// When it was taken; `None` before the first.
    pub measured_at: Option<DateTime<Utc>>,
    /// The database's clock at the reading.
    pub now: DateTime<Utc>,
    /// By queue and kind; what is not there has nothing.
    pub counted: Vec<Counted>,
}

/// The right to take the census.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(i64);

/// Takes the census, if it is due and no other process does; says whether it did.
///
/// # Errors
/// When the database refuses; another turn comes.
pub async fn take(conn: &mut PgConnection) -> sqlx::Result<bool> {
    match claim(conn).await? {
        Some(turn) => count(conn, turn).await,
        None => Ok(false),
    }
}

/// Takes the turn to count, where one is due. Nobody waits for it.
///
/// # Errors
/// When the database refuses.
pub async fn claim(conn: &mut PgConnection) -> sqlx::Result<Option<Turn>> {
    let turn = sqlx::query_scalar!(
        "UPDATE queue_census_turn
            SET turn = turn + 1, next_at = now() + greatest(make_interval(secs => $1), 2 * took_ms * interval '1 millisecond')
          WHERE only_row = (SELECT only_row FROM queue_census_turn WHERE next_at <= now() FOR UPDATE SKIP LOCKED)
         RETURNING turn",
        GIVEN_UP.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(turn.map(Turn))
}

/// Counts and stores; says whether the turn still stood.
///
/// # Errors
/// When the database refuses.
pub async fn count(conn: &mut PgConnection, turn: Turn) -> sqlx::Result<bool> {
    let began = Instant::now();
    let mut tx = conn.begin().await?;
    // One statement, one snapshot: a job is counted in one state. It holds no lock that anybody waits for.
    let counted = sqlx::query_as!(
        Counted,
        r#"SELECT queue AS "queue!", kind AS "kind!", sum(ready)::bigint AS "ready!", sum(scheduled)::bigint AS "scheduled!",
                  sum(running)::bigint AS "running!", sum(dead)::bigint AS "dead!", min(oldest_ready_at) AS oldest_ready_at
             FROM (SELECT queue, kind, count(*) FILTER (WHERE claimed_by IS NULL AND run_at <= now()) AS ready,
                          count(*) FILTER (WHERE claimed_by IS NULL AND run_at > now()) AS scheduled,
                          count(*) FILTER (WHERE claimed_by IS NOT NULL) AS running, 0 AS dead,
                          min(run_at) FILTER (WHERE claimed_by IS NULL AND run_at <= now()) AS oldest_ready_at
                     FROM job GROUP BY queue, kind
                   UNION ALL
                   SELECT queue, kind, 0, 0, 0, count(*), NULL FROM dead_job GROUP BY queue, kind) AS parts
            GROUP BY queue, kind"#,
    )
    .fetch_all(&mut *tx)
    .await?;
    let took = began.elapsed();
    let stands = sqlx::query!(
        "UPDATE queue_census_turn
            SET measured_at = now(), took_ms = $2, next_at = clock_timestamp() + make_interval(secs => $3)
          WHERE turn = $1",
        turn.0,
        took.as_secs_f64() * 1000.0,
        pause_after(took).as_secs_f64(),
    )
    .execute(&mut *tx)
    .await?;
    if stands.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("DELETE FROM queue_census").execute(&mut *tx).await?;
    let numbers = |of: fn(&Counted) -> i64| counted.iter().map(of).collect::<Vec<i64>>();
    sqlx::query!(
        "INSERT INTO queue_census (queue, kind, ready, scheduled, running, dead, oldest_ready_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                              $7::timestamptz[])",
        &counted.iter().map(|row| row.queue.clone()).collect::<Vec<_>>(),
        &counted.iter().map(|row| row.kind.clone()).collect::<Vec<_>>(),
        &numbers(|row| row.ready),
        &numbers(|row| row.scheduled),
        &numbers(|row| row.running),
        &numbers(|row| row.dead),
        &counted.iter().map(|row| row.oldest_ready_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// How long nobody counts after a census that took so long.
fn pause_after(took: Duration) -> Duration {
    EVERY.max(took.saturating_mul(SHARE))
}

/// The census that is stored.
///
/// # Errors
/// When the database refuses.
pub async fn read(conn: &mut PgConnection) -> sqlx::Result<Census> {
    let rows = sqlx::query!(
        r#"SELECT t.measured_at, now() AS "now!", c.queue AS "queue?", c.kind AS "kind?", c.ready AS "ready?",
                  c.scheduled AS "scheduled?", c.running AS "running?", c.dead AS "dead?", c.oldest_ready_at
             FROM queue_census_turn t LEFT JOIN queue_census c ON true ORDER BY c.queue, c.kind"#,
    )
    .fetch_all(conn)
    .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (measured_at, now) = (first.measured_at, first.now);
    let counted = rows.into_iter().filter_map(|row| {
        Some(Counted {
            queue: row.queue?,
            kind: row.kind?,
            ready: row.ready?,
            scheduled: row.scheduled?,
            running: row.running?,
            dead: row.dead?,
            oldest_ready_at: row.oldest_ready_at,
        })
    });
    Ok(Census { measured_at, now, counted: counted.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_census_is_a_rare_one() {
        assert_eq!(pause_after(Duration::from_millis(3)), EVERY);
        assert_eq!(pause_after(Duration::from_millis(400)), Duration::from_secs(20));
        assert_eq!(pause_after(Duration::from_mins(1)), Duration::from_mins(50));
    }
}
