//! One queue in one worker process: what it holds, and the two loops that fill and empty it.
//!
//! The *feeder* claims batches into a buffer, from which apalis takes a job whenever a slot is free. The *settler* writes
//! down how jobs ended, all that have ended since its last statement in one. They use two connections, so that
//! claiming and settling go on at once. Neither ends because of a database error: they pause and try again, and what
//! has finished stays in memory until it is written.
//!
//! What a claim took is `held` from then until its settlement is written. When a claim's answer is lost with its
//! connection, the feeder compares: what the database says we hold and we do not is handed back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backend::Shared;
use super::buffer::Buffer;
use super::claim::{Claim, Claimed};
use super::config::Config;
use super::error::JobError;
use super::lease::Lease;
use super::minutes::Counts;
use super::settle::Settlement;
use super::verdict::{Attempted, Verdict};
use crate::ids::JobId;

/// One queue in one worker process.
#[derive(Debug)]
pub struct Lane {
    pub(super) queue: String,
    pub(super) config: Config,
    pub(super) lease: Arc<Lease>,
    /// Claimed, not started.
    buffer: Mutex<Buffer>,
    /// Claimed, not settled: under which claim, and the token its handler awaits.
    held: Mutex<HashMap<JobId, Holding>>,
    running: AtomicUsize,
    /// Jobs settled since the feeder last asked.
    settled: AtomicUsize,
    /// Rings when there may be something to claim.
    pub(super) bell: Arc<Notify>,
    /// Rings when jobs were settled, so that there is room again.
    pub(super) room: Notify,
    pub(super) stopping: CancellationToken,
    /// Wakes apalis: a job is buffered, a slot is free, or there will be no more.
    waker: AtomicWaker,
    outcomes: mpsc::UnboundedSender<Settlement>,
    /// Parent of every running job's token.
    pub(super) cancel_all: CancellationToken,
    /// How its jobs ended, until that is flushed.
    pub(super) counts: Arc<Counts>,
}

#[derive(Debug)]
struct Holding {
    /// A job may be claimed anew before its last settlement, already written, is forgotten here.
    claim: Claim,
    cancel: CancellationToken,
}

impl Lane {
    /// A lane with nothing in it, and the end from which its settler reads. Unbounded, because what may be in it is
    /// bounded by what may be held.
    pub(super) fn new(queue: &str, shared: &Shared) -> (Arc<Self>, mpsc::UnboundedReceiver<Settlement>) {
        let (outcomes, ended) = mpsc::unbounded_channel();
        let lane = Self {
            queue: queue.to_owned(),
            config: shared.config.clone(),
            lease: Arc::clone(&shared.lease),
            bell: shared.signals.queue(queue),
            counts: Arc::new(Counts::new(queue)),
            buffer: Mutex::default(),
            held: Mutex::default(),
            running: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
            room: Notify::new(),
            stopping: CancellationToken::new(),
            waker: AtomicWaker::new(),
            outcomes,
            cancel_all: CancellationToken::new(),
        };
        (Arc::new(lane), ended)
    }

    /// The queue's name.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// How its jobs ended, for whoever flushes that.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The ids of what is held.
    #[must_use]
    pub fn held(&self) -> Vec<JobId> {
        self.lock_held().keys().copied().collect()
    }

    /// The token that a held job's handler awaits; under a claim that is not held, one that is already cancelled.
    #[must_use]
    pub fn token(&self, claim: &Claim) -> CancellationToken {
        self.lock_held().get(&claim.id).filter(|holding| holding.claim == *claim).map_or_else(
            || {
                let token = CancellationToken::new();
                token.cancel();
                token
            },
            |holding| holding.cancel.clone(),
        )
    }

    /// Asks the handlers of these jobs to stop, where they run here.
    pub fn cancel(&self, ids: &[JobId]) {
        let held = self.lock_held();
        for id in ids {
            if let Some(holding) = held.get(id) {
                holding.cancel.cancel();
            }
        }
    }

    /// Asks the handlers of all jobs claimed under `worker` to stop: they run elsewhere by now.
    pub fn abandon(&self, worker: Uuid) {
        for holding in self.lock_held().values().filter(|holding| holding.claim.worker == worker) {
            holding.cancel.cancel();
        }
    }

    /// Asks the handlers of all jobs to stop.
    pub fn cancel_running(&self) {
        self.cancel_all.cancel();
    }

    /// What a handler's error means once its token was cancelled: the worker stops, or somebody cancelled the job.
    #[must_use]
    pub fn why_cancelled(&self) -> JobError {
        if self.cancel_all.is_cancelled() { JobError::interrupted() } else { JobError::cancel("cancelled on request") }
    }

    /// Stops claiming and hands back what has not started; what runs, runs on.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.hand_back_buffered();
        self.waker.wake();
    }

    /// Whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    pub(super) fn hand_back_buffered(&self) {
        let mut buffer = std::mem::take(&mut *self.lock_buffer());
        while let Some(job) = buffer.pop() {
            self.end(Attempted::from(&job), Verdict::HandBack);
        }
    }

    /// Takes in what was claimed.
    pub(super) fn take_in(&self, jobs: Vec<Claimed>) {
        {
            let mut held = self.lock_held();
            for job in &jobs {
                let holding = Holding { claim: job.claim, cancel: self.cancel_all.child_token() };
                held.insert(job.claim.id, holding);
            }
        }
        {
            let mut buffer = self.lock_buffer();
            for job in jobs {
                buffer.push(job);
            }
        }
        // Stopping may have emptied the buffer just before.
        if self.is_stopping() {
            self.hand_back_buffered();
        }
        self.waker.wake();
    }

    /// The next job to start, if there is one and a slot for it; otherwise apalis is woken when there may be.
    pub(super) fn start_next(&self, cx: &std::task::Context<'_>) -> Option<Claimed> {
        self.waker.register(cx.waker());
        if self.running.load(Ordering::SeqCst) >= self.config.concurrency {
            return None;
        }
        let job = self.lock_buffer().pop()?;
        self.running.fetch_add(1, Ordering::SeqCst);
        Some(job)
    }

    /// A started job ended.
    pub(super) fn finish(&self, job: Attempted, verdict: Verdict) {
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.end(job, verdict);
        self.waker.wake();
    }

    fn end(&self, job: Attempted, verdict: Verdict) {
        let settlement = Settlement { claim: job.claim, has_trail: job.has_trail, verdict };
        // The settler reads until the lane is gone; nobody is left to tell after that, and rescue finds the job.
        let _ = self.outcomes.send(settlement);
    }

    /// These settlements are written: the jobs are not held any more.
    pub(super) fn release(&self, batch: &[Settlement]) {
        let mut held = self.lock_held();
        for settlement in batch {
            if held.get(&settlement.claim.id).is_some_and(|holding| holding.claim == settlement.claim) {
                held.remove(&settlement.claim.id);
            }
        }
        drop(held);
        self.settled.fetch_add(batch.len(), Ordering::SeqCst);
        // What went back may be ready already, and what was counted in a limit has made room in it.
        if batch.iter().any(|settlement| settlement.has_trail) {
            self.bell.notify_one();
        }
        self.room.notify_one();
    }

    pub(super) fn is_held(&self, claim: &Claim) -> bool {
        self.lock_held().get(&claim.id).is_some_and(|holding| holding.claim == *claim)
    }

    /// How many jobs are held, and how many of them wait in the buffer.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.lock_held().len(), self.lock_buffer().len())
    }

    pub(super) fn take_settled(&self) -> usize {
        self.settled.swap(0, Ordering::SeqCst)
    }

    fn lock_buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_held(&self) -> MutexGuard<'_, HashMap<JobId, Holding>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
