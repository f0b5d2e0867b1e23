//! The feeder and the settler of a lane; see [`lane`](super::lane) for what they share.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claim::{ClaimError, ClaimRequest, claim, held_by};
use super::config::AHEAD;
use super::lane::Lane;
use super::settle::{Settlement, settle};
use super::signals::Signals;
use super::verdict::Verdict;
use crate::retry::{Pauses, jittered};

/// Settlements written in one go.
const SETTLE_BATCH: usize = 1_000;
/// The longest that a batch may take; a connection that answers later is given up.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// The rate at which jobs finish is measured over at least this time.
const RATE_WINDOW: Duration = Duration::from_millis(2);

/// How many jobs to claim ahead, by the rate at which they finish.
struct Ahead {
    since: Instant,
    finished: usize,
    jobs: usize,
}

impl Ahead {
    fn update(&mut self, lane: &Lane) -> usize {
        self.finished += lane.take_settled();
        let window = self.since.elapsed();
        if window >= RATE_WINDOW {
            let windows = (AHEAD.as_micros() / window.as_micros().max(1)).max(1);
            let share = (window.as_micros() / AHEAD.as_micros()).max(1);
            let due = self.finished.saturating_mul(usize::try_from(windows).unwrap_or(usize::MAX));
            self.jobs = (due / usize::try_from(share).unwrap_or(usize::MAX)).min(lane.config.max_ahead);
            self.since = Instant::now();
            self.finished = 0;
        }
        self.jobs
    }
}

/// Keeps the lane filled until it stops.
pub(super) async fn feed(lane: Arc<Lane>, pool: PgPool, signals: Signals) {
    let bell = signals.queue(&lane.queue);
    let mut pauses = Pauses::default();
    let mut ahead = Ahead { since: Instant::now(), finished: 0, jobs: 0 };
    let mut after = Uuid::new_v4();
    // Whether there may be more to claim than was claimed last.
    let mut hungry = true;
    // Whether a claim's answer was lost, so that we may hold what we do not know of.
    let mut unsure = false;
    while !lane.is_stopping() {
        let target = lane.config.concurrency + ahead.update(&lane);
        let (held, buffered) = lane.load();
        let room = target.saturating_sub(held);
        // While there is something to start, claims wait until they are worth a statement.
        if hungry && room > 0 && (buffered == 0 || room * 4 >= target) {
            match round(&lane, &pool, room, &mut after, unsure).await {
                Ok(claimed) => {
                    hungry = claimed == room;
                    unsure = false;
                    pauses.reset();
                    continue;
                }
                Err(error) => {
                    unsure = true;
                    let pause = pauses.next_pause();
                    tracing::warn!(queue = lane.queue, %error, ?pause, "claiming failed, trying again");
                    tokio::select! {
                        () = lane.stopping.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    continue;
                }
            }
        }
        tokio::select! {
            () = lane.stopping.cancelled() => {}
            () = bell.notified() => hungry = true,
            () = lane.room.notified() => {}
            () = tokio::time::sleep(jittered(lane.config.poll_every)) => hungry = true,
        }
    }
    lane.hand_back_buffered();
}

/// One claim, with what must precede it: finding out what we hold unknowingly, renewing a lost lease.
async fn round(lane: &Lane, pool: &PgPool, limit: usize, after: &mut Uuid, unsure: bool) -> sqlx::Result<usize> {
    let worker = lane.lease.worker();
    let attempt = async {
        if unsure {
            hand_back_unknown(lane, pool, worker).await?;
        }
        let mut conn = pool.acquire().await?;
        let request = ClaimRequest { worker, queue: &lane.queue, limit, after: *after };
        match claim(&mut conn, request).await {
            Ok(jobs) => Ok(jobs),
            Err(ClaimError::Database(error)) => Err(error),
            Err(ClaimError::LeaseLost(_)) => {
                drop(conn);
                lane.abandon(worker);
                lane.lease.replace(pool, worker).await?;
                Err(sqlx::Error::Protocol("the lease was lost and replaced".to_owned()))
            }
        }
    };
    let jobs = within(lane.config.lease, attempt).await?;
    if let Some(last) = jobs.last() {
        *after = last.tenant.unwrap_or_default();
    }
    let claimed = jobs.len();
    if claimed > 0 {
        lane.take_in(jobs);
    }
    Ok(claimed)
}

/// Hands back what the database says we hold and we do not know of: the answer to its claim was lost.
async fn hand_back_unknown(lane: &Lane, pool: &PgPool, worker: Uuid) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    let unknown: Vec<Settlement> = held_by(&mut conn, worker, std::slice::from_ref(&lane.queue))
        .await?
        .into_iter()
        .filter(|held| !lane.is_held(&held.claim))
        .map(|held| Settlement { claim: held.claim, has_trail: true, verdict: Verdict::HandBack })
        .collect();
    if !unknown.is_empty() {
        settle(&mut conn, &unknown).await?;
        tracing::info!(queue = lane.queue, jobs = unknown.len(), "handed back jobs whose claim was not answered");
    }
    Ok(())
}

/// Writes down how jobs ended until the lane is gone or `give_up`; what is not written then is left to rescue.
/// Returns whether everything was written.
pub(super) async fn settle_all(
    lane: std::sync::Weak<Lane>,
    mut ended: mpsc::UnboundedReceiver<Settlement>,
    pool: PgPool,
    give_up: CancellationToken,
) -> bool {
    let mut pauses = Pauses::default();
    let mut batch = Vec::with_capacity(SETTLE_BATCH);
    while ended.recv_many(&mut batch, SETTLE_BATCH).await > 0 {
        while let Err(error) = write(&pool, &batch).await {
            let pause = pauses.next_pause();
            tracing::warn!(jobs = batch.len(), %error, ?pause, "writing outcomes failed, trying again");
            tokio::select! {
                () = give_up.cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
        }
        pauses.reset();
        if let Some(lane) = lane.upgrade() {
            lane.release(&batch);
        }
        batch.clear();
    }
    true
}

async fn write(pool: &PgPool, batch: &[Settlement]) -> sqlx::Result<()> {
    let attempt = async {
        let mut conn = pool.acquire().await?;
        settle(&mut conn, batch).await
    };
    let settled = within(WRITE_LIMIT, attempt).await?;
    if settled.stale > 0 {
        // Rescued meanwhile, or this batch was written before and only its answer was lost.
        tracing::info!(applied = settled.applied, stale = settled.stale, "some outcomes came too late to count");
    }
    Ok(())
}

/// Bounds a statement, for a connection may die without a word.
async fn within<T>(limit: Duration, attempt: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(limit, attempt).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))
}
