//! Firing schedules when they are due.
//!
//! The loop sleeps for as long as the database says that nothing is due. It never compares a time with this machine's clock, so that one which
//! is wrong does no harm.

use std::time::Duration;

use jobs::db::pool;
use jobs::db::schedule::next_due;
use jobs::retry::Pauses;
use jobs::schedules::{Error, Fired, fire_due};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// Schedules of one transaction.
const BATCH: u16 = 100;
/// Schedules may be created at any time, to be due at once.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Between two looks when something is due that others hold; those that come due meanwhile share a transaction.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);
/// A connection may die without a word, and the loop must not die with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until `stop`.
pub async fn service(shared: PgPool, stop: CancellationToken) {
    // Of its own: whoever cleans up may hold all of the process's connections for a while.
    let pool = pool::beside(&shared, 1);
    let mut pauses = Pauses::default();
    loop {
        let pause = match tokio::time::timeout(PATIENCE, turn(&pool)).await {
            Ok(Ok(pause)) => {
                pauses.reset();
                pause
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "schedules not fired, trying again");
                pauses.next_pause()
            }
            Err(_) => {
                tracing::warn!("firing schedules was not answered, trying again");
                pauses.next_pause()
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Fires what is due; how long nothing will be.
async fn turn(pool: &PgPool) -> Result<Duration, Error> {
    let mut conn = pool.acquire().await?;
    let Some(due_in) = next_due(&mut conn).await? else { return Ok(LONGEST_SLEEP) };
    if let Ok(sleep) = due_in.to_std()
        && !sleep.is_zero()
    {
        return Ok(sleep.min(LONGEST_SLEEP));
    }
    let fired = fire_due(&mut conn, BATCH).await?;
    tell(&fired);
    Ok(if fired.is_full { Duration::ZERO } else { SHORTEST_SLEEP })
}

fn tell(fired: &Fired) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for (outcome, number) in [("started", fired.started), ("refused", fired.refused), ("unreadable", fired.unreadable)]
    {
        metrics::counter!("plumbline_schedule_firings_total", "outcome" => outcome).increment(count(number));
    }
    metrics::counter!("plumbline_schedule_scans_total").increment(count(fired.scans));
    for late in &fired.lateness {
        metrics::histogram!("plumbline_schedule_lateness_seconds").record(late.as_secs_f64());
    }
    if *fired != Fired::default() {
        let Fired { started, scans, refused, unreadable, .. } = fired;
        tracing::info!(started, scans, refused, unreadable, "schedules fired");
    }
}
