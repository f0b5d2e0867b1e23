//! What a worker process does beside its jobs: one loop beats the heart, one passes on cancellations, one writes counters, one takes
//! back what other processes lost and forgets what is over. None of them ends because of a database error.
//!
//! The scheduler rescues, too. That workers do not leave it to the scheduler is so that a fleet without one loses nothing.

use std::fmt::Display;
use std::sync::Arc;

use jobs::db::batches::{Pace, ROWS, Turn, in_batches};
use jobs::db::pool;
use jobs::queue::{Lane, Shared, expire_outcomes, limit, rescue};
use jobs::retry::jittered;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::counting;

/// The heartbeat, the counters and the rescues have a connection each.
const BACKGROUND_CONNECTIONS: u32 = 3;

/// Batches of expired outcomes between two rescues, which must not wait for long.
const OUTCOME_BATCHES: u32 = 20;

/// The loops beside the workers; dropping it ends them.
pub(crate) struct Background {
    _stop: DropGuard,
}

impl Background {
    pub(crate) fn start(shared: &Shared, lanes: &[Arc<Lane>]) -> Self {
        let stop = CancellationToken::new();
        // Of their own, because handlers may use up the process's connections for longer than its lease.
        let shared = &Shared { pool: pool::beside(&shared.pool, BACKGROUND_CONNECTIONS), ..shared.clone() };
        let loops = [
            tokio::spawn(stop.clone().run_until_cancelled_owned(keep_alive(shared.clone(), lanes.to_vec()))),
            tokio::spawn(stop.clone().run_until_cancelled_owned(pass_on_cancellations(shared.clone(), lanes.to_vec()))),
            tokio::spawn(stop.clone().run_until_cancelled_owned(keep_rescuing(shared.clone()))),
            tokio::spawn(stop.clone().run_until_cancelled_owned(counting::keep_counting(
                shared.clone(),
                lanes.iter().map(|lane| lane.counts()).collect(),
            ))),
        ];
        // Detached: the token ends them.
        drop(loops);
        Self { _stop: stop.drop_guard() }
    }
}

/// Beats the heart; learns of cancellations that no signal told, and of a lost lease.
async fn keep_alive(shared: Shared, lanes: Vec<Arc<Lane>>) {
    loop {
        let held: Vec<_> = lanes.iter().flat_map(|lane| lane.held()).collect();
        // A connection may die without a word; another must be tried while the lease still stands.
        match tokio::time::timeout(shared.config.lease / 4, shared.lease.beat(&shared.pool, &held)).await {
            Ok(Ok(beat)) => {
                for lane in &lanes {
                    lane.cancel(&beat.cancelled);
                    if let Some(lost) = beat.lost {
                        lane.abandon(lost);
                    }
                }
                if let Some(lost) = beat.lost {
                    tracing::warn!(worker = %lost, "the lease was lost: this process was silent for too long");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "the heartbeat failed"),
            Err(_) => tracing::warn!("the heartbeat was not answered"),
        }
        tokio::time::sleep(shared.config.beat_every).await;
    }
}

async fn pass_on_cancellations(shared: Shared, lanes: Vec<Arc<Lane>>) {
    let mut cancellations = shared.signals.cancellations();
    loop {
        match cancellations.recv().await {
            Ok(id) => lanes.iter().for_each(|lane| lane.cancel(&[id])),
            // The next heartbeat asks for what was missed.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Takes back what was lost, and forgets what is over. Each does its part even if another fails.
async fn keep_rescuing(shared: Shared) {
    let longest = shared.config.lease / 2;
    let pace = Pace { batches: OUTCOME_BATCHES, longest, ..Pace::new("worker", ROWS, &Turn::default()) };
    loop {
        tokio::time::sleep(jittered(shared.config.rescue_every)).await;
        bounded(&shared, "rescuing what lost workers held", async {
            let mut conn = shared.pool.acquire().await?;
            rescue(&mut conn, shared.config.lease).await
        })
        .await;
        bounded(&shared, "forgetting outcomes and counters", async {
            limit::sweep_slots(&mut *shared.pool.acquire().await?, ROWS).await?;
            let pool = &shared.pool;
            in_batches("outcomes", &pace, None, |from, most| async move {
                expire_outcomes(&mut *pool.acquire().await?, from, most).await
            })
            .await
        })
        .await;
        bounded(&shared, "the census", async {
            let mut conn = shared.pool.acquire().await?;
            counting::look_after(&mut conn).await
        })
        .await;
    }
}

/// Bounded as the heartbeat is: a connection may die without a word, and a loop must not die with it.
async fn bounded<T, E: Display>(shared: &Shared, what: &str, work: impl Future<Output = Result<T, E>>) {
    match tokio::time::timeout(shared.config.lease, work).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "{what} failed, trying again"),
        Err(_) => tracing::warn!("{what} was not answered, trying again"),
    }
}
