//! The worker process: apalis workers over the queue's lanes, one for each queue, under apalis's monitor.
//!
//! What runs, from the outside in: the queue's settling layer (it writes down what became of the job), tasks of
//! their own (so that handlers use all cores, and a dropped worker takes them along), the panic catcher, and the
//! dispatcher, which finds the handler and holds it to its timeout and to the stop.
//!
//! What else the process does is in `background.rs`.
//!
//! A stop, by the soft token: nothing more is claimed, what has not started is handed back at once, what runs has its
//! grace; then its token is cancelled; what still runs after that is dropped and handed back. No attempt is spent. The
//! hard token drops and hands back at once.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use apalis::layers::catch_panic::CatchPanicLayer;
use apalis_core::monitor::Monitor;
use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::ext::parallelize::ParallelizeExt as _;
use jobs::queue::{Attempted, Claimed, Config, JobError, Lane, Lease, QueueBackend, Shared, Signals, Verdict};
use jobs::retry::{Backoff, Pauses};
use serde_json::Value;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;
use tracing::Instrument as _;

use crate::background::Background;
use crate::counting;
use crate::handler::{Answer, Registered};
pub use crate::handler::{Handler, JobContext};

/// After the last grace of a stop: for dropped handlers to let go, before their tasks are aborted.
const LET_GO: Duration = Duration::from_secs(1);

/// The two stages of a stop. Cancelling `hard` implies `soft`.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Stop well: the first signal.
    pub soft: CancellationToken,
    /// Stop now: the second.
    pub hard: CancellationToken,
}

/// How a worker process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether everything it held was settled or handed back; if not, rescue takes the rest back.
    pub clean: bool,
}

/// Why a worker process did not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is nothing it could run.
    #[error("no handler is registered for the queues {0:?}; name queues that exist")]
    NoHandlers(Vec<String>),
    /// apalis gave up.
    #[error("the job workers ended: {0}")]
    Monitor(String),
}

/// A worker process that is being put together.
pub struct Runtime {
    pool: PgPool,
    signals: Signals,
    config: Config,
    only_queues: Option<Vec<String>>,
    handlers: HashMap<&'static str, Registered>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: BTreeSet<_> = self.handlers.keys().collect();
        f.debug_struct("Runtime").field("kinds", &kinds).field("config", &self.config).finish_non_exhaustive()
    }
}

impl Runtime {
    /// A worker process without handlers. The pool should allow two connections for each queue beside what handlers use.
    #[must_use]
    pub fn builder(pool: PgPool, signals: Signals, config: Config) -> Self {
        Self { pool, signals, config, only_queues: None, handlers: HashMap::new() }
    }

    /// Runs jobs of the handler's kind.
    #[must_use]
    pub fn register<H: Handler>(mut self, handler: H) -> Self {
        self.handlers.insert(<H::Job as jobs::kinds::Job>::KIND, Registered::new(handler));
        self
    }

    /// Serves only these queues; without it, the queues of all registered kinds.
    #[must_use]
    pub fn only_queues(mut self, queues: Vec<String>) -> Self {
        self.only_queues = Some(queues);
        self
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.handlers.values().map(|handler| handler.queue).collect();
        let wanted = |queue: &&str| self.only_queues.as_ref().is_none_or(|only| only.iter().any(|name| name == queue));
        known.into_iter().filter(wanted).map(str::to_owned).collect()
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// [`RuntimeError::NoHandlers`] at once, when there is nothing to do.
    pub async fn run(self, shutdown: Shutdown) -> Result<Stopped, RuntimeError> {
        let queues = self.queues();
        if queues.is_empty() {
            return Err(RuntimeError::NoHandlers(self.only_queues.unwrap_or_default()));
        }
        let Some(lease) = register_worker(&self.pool, &queues, &shutdown).await else {
            return Ok(Stopped { clean: true });
        };
        let abort = CancellationToken::new();
        let shared = Shared {
            pool: self.pool.clone(),
            signals: self.signals.clone(),
            lease: Arc::new(lease),
            config: self.config.clone(),
        };
        let handlers = Arc::new(self.handlers);
        let mut monitor = Monitor::new().should_restart(|_, _| true);
        let (mut lanes, mut loops) = (Vec::new(), Vec::new());
        for queue in &queues {
            let judged = Arc::clone(&handlers);
            let parallel =
                handlers.values().filter(|handler| handler.queue == queue).map(|handler| handler.parallel).max();
            let concurrency = self.config.concurrency * parallel.unwrap_or(1);
            let shared = Shared { config: Config { concurrency, ..self.config.clone() }, ..shared.clone() };
            let (backend, running) = QueueBackend::open(
                queue,
                &shared,
                Arc::new(move |kind, job, result| judge(&judged, kind, job, result)),
            );
            loops.push(running);
            let dispatch = Dispatch {
                handlers: Arc::clone(&handlers),
                lane: backend.lane(),
                pool: self.pool.clone(),
                abort: abort.clone(),
            };
            lanes.push(backend.lane());
            let name = queue.clone();
            monitor = monitor.register(move |_| {
                WorkerBuilder::new(name.as_str())
                    .backend(backend.clone())
                    .parallelize(|job| AbortOnDropHandle::new(tokio::spawn(job)))
                    .layer(CatchPanicLayer::<_, JobError>::with_panic_handler(panicked))
                    .build(dispatch.clone())
            });
        }
        let counts: Vec<_> = lanes.iter().map(|lane| lane.counts()).collect();
        let background = Background::start(&shared, &lanes);
        let result = work(monitor, &lanes, &shared.config, &shutdown, &abort).await;

        drop(background);
        drop(lanes);
        let patience = if shutdown.hard.is_cancelled() { LET_GO } else { shared.config.flush_grace };
        let written = futures::future::join_all(loops.into_iter().map(|running| running.finish(patience))).await;
        let clean = written.into_iter().all(|written| written) && result.is_ok();
        counting::flush(&shared.pool, &counts, patience).await;
        if clean {
            match tokio::time::timeout(patience, shared.lease.release(&shared.pool)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the worker's row could not be deleted, rescue will"),
                Err(_) => tracing::warn!("deleting the worker's row was not answered, rescue will do it"),
            }
        }
        result.map(|()| Stopped { clean })
    }
}

/// Registers the process, as soon as the database is there; `None` when the stop comes first.
async fn register_worker(pool: &PgPool, queues: &[String], shutdown: &Shutdown) -> Option<Lease> {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
    let name = format!("{host}:{}", std::process::id());
    let mut pauses = Pauses::default();
    loop {
        match Lease::register(pool, &name, queues).await {
            Ok(lease) => return Some(lease),
            Err(error) => {
                let pause = pauses.next_pause();
                tracing::warn!(%error, ?pause, "the worker could not register, trying again");
                tokio::select! {
                    () = shutdown.soft.cancelled() => return None,
                    () = shutdown.hard.cancelled() => return None,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}

/// Runs the workers and takes them through the stages of the stop.
async fn work(
    monitor: Monitor,
    lanes: &[Arc<Lane>],
    config: &Config,
    shutdown: &Shutdown,
    abort: &CancellationToken,
) -> Result<(), RuntimeError> {
    let stop_claiming = async {
        tokio::select! {
            () = shutdown.soft.cancelled() => {}
            () = shutdown.hard.cancelled() => {}
        }
        for lane in lanes {
            lane.stop();
        }
        Ok(())
    };
    let stages = async {
        tokio::select! {
            () = shutdown.hard.cancelled() => {}
            () = async {
                shutdown.soft.cancelled().await;
                tokio::time::sleep(config.grace).await;
                for lane in lanes {
                    lane.cancel_running();
                }
                tokio::time::sleep(config.cancel_grace).await;
            } => {}
        }
        abort.cancel();
        tokio::time::sleep(LET_GO).await;
    };
    tokio::select! {
        result = monitor.run_with_signal(stop_claiming) => result.map_err(|e| RuntimeError::Monitor(e.to_string())),
        () = stages => {
            tracing::warn!("some handlers block their thread and were left behind");
            Ok(())
        }
    }
}

/// What becomes of a job, by its kind's policy; counts it, too.
fn judge(
    handlers: &HashMap<&'static str, Registered>,
    kind: &str,
    job: &Attempted,
    result: Result<Value, JobError>,
) -> Verdict {
    let Some((&kind, handler)) = handlers.get_key_value(kind) else {
        return Verdict::of(job, result, &Backoff::STANDARD);
    };
    if let Err(error) = &result {
        tracing::info!(
            job = %job.claim.id, kind, attempt = job.attempt, max_attempts = job.max_attempts,
            error_class = error.error_class, error = %error.message, "attempt did not succeed"
        );
    }
    let verdict = Verdict::of(job, result, &handler.backoff);
    metrics::counter!("plumbline_jobs_total", "kind" => kind, "verdict" => verdict.name()).increment(1);
    verdict
}

#[allow(clippy::borrowed_box, reason = "apalis's signature")]
fn panicked(panic: &Box<dyn Any + Send>) -> JobError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    JobError::retry("panic", format!("the handler panicked: {message}"))
}

/// The innermost service: finds the handler and holds it to its timeout and to the stop.
#[derive(Clone)]
struct Dispatch {
    handlers: Arc<HashMap<&'static str, Registered>>,
    lane: Arc<Lane>,
    pool: PgPool,
    abort: CancellationToken,
}

impl Service<Task<Claimed>> for Dispatch {
    type Response = Value;
    type Error = JobError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), JobError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Answer {
        let (job, _) = task.take();
        let Some((&kind, handler)) = self.handlers.get_key_value(job.stream.kind.as_str()) else {
            return Box::pin(std::future::ready(Err(JobError::unknown_kind(&job.stream.kind))));
        };
        let span = tracing::info_span!(
            "job", id = %job.claim.id, kind, attempt = job.attempt, tenant = job.tenant().map(tracing::field::display),
            request_id = job.request_id, trace_parent = job.trace_parent
        );
        let cancel = self.lane.token(&job.claim);
        let cx = JobContext {
            id: job.claim.id,
            tenant: job.tenant(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            cancel: cancel.clone(),
            request_id: job.request_id,
            trace_parent: job.trace_parent,
            pool: self.pool.clone(),
            claim: job.claim,
        };
        let limit = handler.timeout;
        let answer = handler.run(cx, job.payload);
        let (lane, abort) = (Arc::clone(&self.lane), self.abort.clone());
        let attempt = async move {
            let started = Instant::now();
            let result = tokio::select! {
                biased;
                answer = tokio::time::timeout(limit, answer) => match answer {
                    Ok(Err(_)) if cancel.is_cancelled() => Err(lane.why_cancelled()),
                    Ok(answer) => answer,
                    Err(_) => {
                        cancel.cancel();
                        Err(JobError::retry("timeout", format!("the attempt took longer than {limit:?}")))
                    }
                },
                () = abort.cancelled() => Err(JobError::interrupted()),
            };
            metrics::histogram!("plumbline_job_seconds", "kind" => kind).record(started.elapsed().as_secs_f64());
            result
        };
        Box::pin(attempt.instrument(span))
    }
}
