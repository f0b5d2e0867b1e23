//! The feeder and the settler of a lane; see [`lane`](super::lane) for what they share.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claim::{ClaimError, ClaimRequest, Claims, Look, claim, held_by};
use super::config::AHEAD;
use super::known::Known;
use super::lane::Lane;
use super::settle::{Settlement, settle};
use super::verdict::Verdict;
use crate::retry::{Pauses, jittered};

/// Settlements written in one go.
const SETTLE_BATCH: usize = 1_000;
/// The longest that a batch may take; a connection that answers later is given up.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// How long the settler keeps its connection while nothing ends.
const KEEP_SEAT: Duration = Duration::from_secs(1);
/// Groups that their pace holds up are not looked after more often.
const LEAST_PACE: Duration = Duration::from_millis(5);
/// The least that is asked for when something came in.
const RUNG_CLAIM: usize = 16;

/// How many jobs to claim ahead: as many as finish in [`AHEAD`], by an average that forgets at that pace. Jobs that end together, as
/// those do that began together, do not make it jump.
struct Ahead {
    since: Instant,
    /// In millionths of a job.
    average: u128,
}

impl Ahead {
    fn new() -> Self {
        Self { since: Instant::now(), average: 0 }
    }

    fn update(&mut self, lane: &Lane) -> usize {
        let (ahead, passed) = (AHEAD.as_micros(), self.since.elapsed().as_micros());
        self.since = Instant::now();
        let finished = u128::try_from(lane.take_settled()).unwrap_or_default();
        self.average = self.average * ahead / (ahead + passed) + finished * 1_000_000;
        usize::try_from(self.average / 1_000_000).unwrap_or(usize::MAX).min(lane.config.max_ahead)
    }
}

/// A connection that a loop keeps while it is busy, so that it need not be asked for and tested before each statement.
struct Seat<'a> {
    pool: &'a PgPool,
    conn: Option<PoolConnection<Postgres>>,
}

impl<'a> Seat<'a> {
    fn new(pool: &'a PgPool) -> Self {
        Self { pool, conn: None }
    }

    async fn take(&mut self) -> sqlx::Result<&mut PgConnection> {
        match &mut self.conn {
            Some(conn) => Ok(conn),
            free => Ok(free.insert(self.pool.acquire().await?)),
        }
    }

    /// Gives it back: there is nothing to do, or it may be broken.
    fn leave(&mut self) {
        self.conn = None;
    }
}

/// Keeps the lane filled until it stops.
pub(super) async fn feed(lane: Arc<Lane>, pool: PgPool) {
    let mut pauses = Pauses::default();
    let mut ahead = Ahead::new();
    let mut known = Known::new();
    let mut seat = Seat::new(&pool);
    // Whether there may be more to claim than was claimed last.
    let mut hungry = true;
    // Whether something came in since the last look, which should not wait for what was claimed before.
    let mut rung = false;
    // Whether something came in after the last look everywhere, perhaps of a tenant that is not known.
    let mut owed = false;
    // Whether there may be something where the last look did not go.
    let mut unseen = true;
    // When a group may go on that its pace holds up.
    let mut paced: Option<Instant> = None;
    // Whether a claim's answer was lost, so that we may hold what we do not know of.
    let mut unsure = false;
    while !lane.is_stopping() {
        let target = lane.config.concurrency + ahead.update(&lane);
        let (held, buffered) = lane.load();
        let room = target.saturating_sub(held);
        // While there is something to start, claims wait until they are worth a statement; but not for what came in just now, which
        // may be another tenant's: of that a little is taken beyond the target, and the buffer lets tenants take turns.
        let everywhere = known.due() <= Instant::now();
        let more = held < 2 * target;
        let (limit, worth_it) = if (rung || (owed && everywhere)) && more {
            (room.max(RUNG_CLAIM), true)
        } else {
            (room, room > 0 && (buffered == 0 || room * 4 >= target))
        };
        if hungry && worth_it {
            let streams = if everywhere { Vec::new() } else { known.streams() };
            let after = known.after().clone();
            let look = if everywhere { Look::Everywhere { after: &after } } else { Look::Known(&streams) };
            if !everywhere && streams.is_empty() {
                hungry = false;
                continue;
            }
            (rung, owed) = (false, (rung || owed) && !everywhere);
            match round(&lane, &mut seat, limit, look, unsure).await {
                Ok(claims) => {
                    known.learn(&look, &claims);
                    paced = claims.next_in.map(|wait| Instant::now() + wait.max(LEAST_PACE));
                    hungry = claims.jobs.len() >= limit;
                    unseen = hungry || (unseen && !everywhere);
                    unsure = false;
                    pauses.reset();
                    if !claims.jobs.is_empty() {
                        lane.take_in(claims.jobs);
                    }
                }
                Err(error) => {
                    seat.leave();
                    unsure = true;
                    let pause = pauses.next_pause();
                    tracing::warn!(queue = lane.queue, %error, ?pause, "claiming failed, trying again");
                    tokio::select! {
                        () = lane.stopping.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
            continue;
        }
        tokio::select! {
            () = lane.stopping.cancelled() => {}
            () = lane.bell.notified() => (hungry, unseen, rung) = (true, true, true),
            () = lane.room.notified() => {}
            () = until(paced), if paced.is_some() && more => (hungry, unseen, paced) = (true, true, None),
            () = tokio::time::sleep_until(known.due()), if (unseen && !hungry) || (owed && more) => hungry = true,
            () = tokio::time::sleep(jittered(lane.config.poll_every)) => {
                (hungry, unseen) = (true, true);
                seat.leave();
            }
        }
    }
    lane.hand_back_buffered();
}

async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        tokio::time::sleep_until(time).await;
    }
}

/// One claim, with what must precede it: finding out what we hold unknowingly, renewing a lost lease.
async fn round(lane: &Lane, seat: &mut Seat<'_>, limit: usize, look: Look<'_>, unsure: bool) -> sqlx::Result<Claims> {
    let worker = lane.lease.worker();
    let pool = seat.pool;
    let attempt = async {
        let conn = seat.take().await?;
        if unsure {
            hand_back_unknown(lane, conn, worker).await?;
        }
        match claim(conn, ClaimRequest { worker, queue: &lane.queue, limit, look }).await {
            Ok(claims) => Ok(claims),
            Err(ClaimError::Database(error)) => Err(error),
            Err(ClaimError::LeaseLost(_)) => {
                seat.leave();
                lane.abandon(worker);
                lane.lease.replace(pool, worker).await?;
                Err(sqlx::Error::Protocol("the lease was lost and replaced".to_owned()))
            }
        }
    };
    within(lane.config.lease, attempt).await
}

/// Hands back what the database says we hold and we do not know of: the answer to its claim was lost.
async fn hand_back_unknown(lane: &Lane, conn: &mut PgConnection, worker: Uuid) -> sqlx::Result<()> {
    let unknown: Vec<Settlement> = held_by(conn, worker, std::slice::from_ref(&lane.queue))
        .await?
        .into_iter()
        .filter(|held| !lane.is_held(&held.claim))
        .map(|held| Settlement { claim: held.claim, has_trail: true, verdict: Verdict::HandBack })
        .collect();
    if !unknown.is_empty() {
        settle(conn, &unknown).await?;
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
    let mut seat = Seat::new(&pool);
    let mut batch = Vec::with_capacity(SETTLE_BATCH);
    loop {
        let received = tokio::select! {
            received = ended.recv_many(&mut batch, SETTLE_BATCH) => received,
            () = tokio::time::sleep(KEEP_SEAT), if seat.conn.is_some() => {
                seat.leave();
                continue;
            }
        };
        if received == 0 {
            return true;
        }
        while let Err(error) = write(&mut seat, &batch).await {
            seat.leave();
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
}

async fn write(seat: &mut Seat<'_>, batch: &[Settlement]) -> sqlx::Result<()> {
    let attempt = async { settle(seat.take().await?, batch).await };
    let settled = within(WRITE_LIMIT, attempt).await?;
    if settled.stale > 0 {
        // Rescued meanwhile, or this batch was written before and only its answer was lost.
        tracing::info!(applied = settled.applied, stale = settled.stale, "some outcomes came too late to count");
    }
    Ok(())
}

/// Bounds a statement, for a connection may die without a word.
async fn within<T>(limit: Duration, attempt: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let unanswered = |_| Err(sqlx::Error::Protocol(format!("no answer within {limit:?}")));
    timeout(limit, attempt).await.unwrap_or_else(unanswered)
}
