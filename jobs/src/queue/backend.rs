//! The lane as apalis sees it: a [`Backend`] that yields claimed jobs, and a layer that settles them.
//!
//! The backend never fails: to apalis an error of a backend is the end of its worker, and a database that is away is
//! not. It is `Pending` while no slot is free, which is how the worker's concurrency is bounded.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use serde_json::Value;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use super::claim::Claimed;
use super::config::Config;
use super::error::JobError;
use super::feed::{feed, settle_all};
use super::lane::Lane;
use super::lease::Lease;
use super::minutes::Times;
use super::signals::Signals;
use super::verdict::{Attempted, Verdict};

/// Turns what the handler of a job answered into what becomes of it; it knows the kinds' policies.
pub type Judge = dyn Fn(&str, &Attempted, Result<Value, JobError>) -> Verdict + Send + Sync;

/// What lanes of one process share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The database, at least two connections a lane.
    pub pool: PgPool,
    /// Wakes the feeders.
    pub signals: Signals,
    /// The process's lease.
    pub lease: Arc<Lease>,
    /// Times and sizes.
    pub config: Config,
}

/// Our storage, as an apalis backend for one queue; clones share the lane, for the worker that apalis starts anew.
#[derive(Clone)]
pub struct QueueBackend {
    lane: Arc<Lane>,
    judge: Arc<Judge>,
}

impl fmt::Debug for QueueBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBackend").field("queue", &self.lane.queue()).finish_non_exhaustive()
    }
}

/// A lane's loops, running.
#[derive(Debug)]
pub struct LaneLoops {
    feeder: JoinHandle<()>,
    settler: JoinHandle<bool>,
    give_up: CancellationToken,
}

impl QueueBackend {
    /// Opens a lane for `queue` and starts its loops.
    #[must_use]
    pub fn open(queue: &str, shared: &Shared, judge: Arc<Judge>) -> (Self, LaneLoops) {
        let (lane, ended) = Lane::new(queue, shared);
        let give_up = CancellationToken::new();
        let settler = settle_all(Arc::downgrade(&lane), ended, shared.pool.clone(), give_up.clone());
        let loops = LaneLoops {
            feeder: tokio::spawn(feed(Arc::clone(&lane), shared.pool.clone())),
            settler: tokio::spawn(settler),
            give_up,
        };
        (Self { lane, judge }, loops)
    }

    /// The lane, for whoever stops it or cancels its jobs.
    #[must_use]
    pub fn lane(&self) -> Arc<Lane> {
        Arc::clone(&self.lane)
    }
}

impl LaneLoops {
    /// Waits until everything that ended is written, for which the lane must be stopped and let go of by everyone, or
    /// until `patience` has passed. Returns whether everything is.
    pub async fn finish(self, patience: std::time::Duration) -> bool {
        let Self { feeder, mut settler, give_up } = self;
        let both = async {
            let fed = feeder.await.is_ok();
            fed && (&mut settler).await.unwrap_or(false)
        };
        if let Ok(written) = tokio::time::timeout(patience, both).await {
            return written;
        }
        give_up.cancel();
        false
    }
}

impl Backend for QueueBackend {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Claimed>, Infallible>>> {
        match self.lane.start_next(cx) {
            Some(job) => Poll::Ready(Some(Ok(Task::new(job)))),
            None if self.lane.is_stopping() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.lane.hand_back_buffered();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for QueueBackend {
    type Args = Claimed;
    type Id = ();
    // The name is apalis's for a backend that yields tasks as they are, undecoded by a codec of its own.
    type Kind = Ephemeral;
    type Config = Config;
    type Layer = SettleLayer;

    fn config(&self) -> &Config {
        &self.lane.config
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> SettleLayer {
        SettleLayer { lane: Arc::clone(&self.lane), judge: Arc::clone(&self.judge) }
    }
}

/// Settles each job when its handler has answered.
#[derive(Clone)]
pub struct SettleLayer {
    lane: Arc<Lane>,
    judge: Arc<Judge>,
}

impl fmt::Debug for SettleLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettleLayer").field("queue", &self.lane.queue()).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SettleLayer {
    type Service = SettleService<S>;

    fn layer(&self, inner: S) -> SettleService<S> {
        SettleService { inner, layer: self.clone() }
    }
}

/// See [`SettleLayer`].
#[derive(Debug, Clone)]
pub struct SettleService<S> {
    inner: S,
    layer: SettleLayer,
}

impl<S> Service<Task<Claimed>> for SettleService<S>
where
    S: Service<Task<Claimed>, Response = Value>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is below is ready or not yet; if it ever failed here, it would fail again in the call.
        self.inner.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let judge = Arc::clone(&self.layer.judge);
        let running = Running { lane: Arc::clone(&self.layer.lane), job: Attempted::from(&task.args), verdict: None };
        let kind = task.args.stream.kind.clone();
        let waited = task.args.ready_for + task.args.received.elapsed();
        let started = Instant::now();
        let answer = self.inner.call(task);
        Box::pin(async move {
            let mut running = running;
            let result = answer.await.map_err(|error| job_error(error.into()));
            let verdict = judge(&kind, &running.job, result);
            running.lane.counts.record(&kind, &verdict, Times { ran: started.elapsed(), waited });
            running.verdict = Some(verdict);
            Ok(())
        })
    }
}

/// A started job, which ends however its future does: a worker that is dropped hands back what it ran.
struct Running {
    lane: Arc<Lane>,
    job: Attempted,
    verdict: Option<Verdict>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lane.finish(self.job, self.verdict.take().unwrap_or(Verdict::HandBack));
    }
}

/// What a handler returned as an error; anything else below the settling layer is a panic.
fn job_error(error: BoxDynError) -> JobError {
    match error.downcast::<JobError>() {
        Ok(error) => *error,
        Err(panic) => JobError::retry("panic", panic),
    }
}
