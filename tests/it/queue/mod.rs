//! The queue's promises, against a real Postgres: unhappy paths first.

mod census;
mod claim;
mod dead;
mod dead_plans;
mod enqueue;
mod group_limits;
mod limits;
mod live;
mod minutes;
mod model;
mod outage;
mod pgbouncer;
mod plans;
mod proxy;
mod rescue;
mod runtime;
mod settle;
mod stop;
mod wait;

use crate::support::eventually;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use jobs::kinds::Job;
use jobs::queue::{self, ClaimRequest, Claimed, Config, JobError, Look, Settled, Settlement, Signals, Stream, Verdict};
use jobs::retry::Backoff;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use uuid::Uuid;
use workers::runtime::{Handler, JobContext, Runtime, Shutdown, Stopped};

/// What every wait in these tests is bounded by.
const SOON: Duration = Duration::from_mins(2);

/// A job that nobody waits for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Note {
    tenant: Option<Uuid>,
    key: Option<String>,
    n: usize,
}

impl Job for Note {
    const KIND: &'static str = "test_note";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i16 = 3;
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::Table { delays: &[Duration::ZERO], jitter: 0.0 };

    fn tenant(&self) -> Option<Uuid> {
        self.tenant
    }

    fn unique_key(&self) -> Option<String> {
        self.key.clone()
    }
}

/// A job whose outcome is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Ask {
    question: String,
}

impl Job for Ask {
    const KIND: &'static str = "test_ask";
    const QUEUE: &'static str = "test_awaited";
    const MAX_ATTEMPTS: i16 = 2;
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::Table { delays: &[Duration::ZERO], jitter: 0.0 };
    const PRIORITY: i16 = jobs::kinds::priority::AWAITED;
    const OUTCOME_TTL: Duration = Duration::from_mins(10);

    fn tenant(&self) -> Option<Uuid> {
        None
    }
}

fn note(n: usize) -> Note {
    Note { n, ..Note::default() }
}

/// A handler made of a closure.
struct Run<J, F>(F, PhantomData<fn(J)>);

fn run<J, F, A>(f: F) -> Run<J, F>
where
    J: Job,
    F: Fn(JobContext, J) -> A,
    A: Future<Output = Result<Value, JobError>>,
{
    Run(f, PhantomData)
}

impl<J, F, A> Handler for Run<J, F>
where
    J: Job,
    F: Fn(JobContext, J) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Value, JobError>> + Send,
{
    type Job = J;

    fn run(&self, cx: &JobContext, job: J) -> impl Future<Output = Result<Value, JobError>> + Send {
        (self.0)(cx.clone(), job)
    }
}

/// Times short enough for a test to see them, but for the lease: a machine under load must not lose it by itself.
fn quick() -> Config {
    Config {
        concurrency: 8,
        beat_every: Duration::from_millis(100),
        lease: Duration::from_mins(5),
        poll_every: Duration::from_millis(50),
        rescue_every: Duration::from_millis(100),
        grace: Duration::from_millis(100),
        cancel_grace: Duration::from_millis(100),
        flush_grace: SOON,
        ..Config::default()
    }
}

/// A worker process, as a task.
struct Worker {
    shutdown: Shutdown,
    task: JoinHandle<Stopped>,
}

impl Worker {
    fn start(runtime: Runtime) -> Self {
        // Shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::WARN).try_init();
        let shutdown = Shutdown::default();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { runtime.run(stop).await.expect("a worker with handlers") });
        Self { shutdown, task }
    }

    async fn stop(self) -> Stopped {
        self.shutdown.soft.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("a stop in time").expect("no panic")
    }
}

fn runtime(pool: &PgPool) -> Runtime {
    Runtime::builder(pool.clone(), Signals::none(), quick())
}

/// A registered worker, without a process.
async fn worker(pool: &PgPool) -> Uuid {
    let queues = vec![Note::QUEUE.to_owned(), Ask::QUEUE.to_owned()];
    queue::Lease::register(pool, "test", &queues).await.unwrap().worker()
}

async fn claim(pool: &PgPool, worker: Uuid, limit: usize) -> Vec<Claimed> {
    claim_after(pool, worker, limit, &Stream::default()).await
}

async fn claim_after(pool: &PgPool, worker: Uuid, limit: usize, after: &Stream) -> Vec<Claimed> {
    let mut conn = pool.acquire().await.unwrap();
    queue::claim(&mut conn, request(worker, limit, after)).await.unwrap().jobs
}

/// A look everywhere, for notes.
fn request(worker: Uuid, limit: usize, after: &Stream) -> ClaimRequest<'_> {
    ClaimRequest { worker, queue: Note::QUEUE, limit, look: Look::Everywhere { after } }
}

async fn enqueue<J: Job>(pool: &PgPool, job: &J) -> jobs::ids::JobId {
    queue::enqueue(&mut pool.acquire().await.unwrap(), job).await.unwrap().id
}

async fn settle(pool: &PgPool, job: &Claimed, verdict: Verdict) -> Settled {
    let batch = [Settlement { claim: job.claim, has_trail: job.has_trail, verdict }];
    queue::settle(&mut pool.acquire().await.unwrap(), &batch).await.unwrap()
}

/// The settlement took effect.
const APPLIED: Settled = Settled { applied: 1, stale: 0 };
/// The settlement came too late and changed nothing.
const STALE: Settled = Settled { applied: 0, stale: 1 };

async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits until the query answers `expected`.
async fn until(pool: &PgPool, sql: &'static str, expected: i64) {
    eventually(sql, async || (number(pool, sql).await == expected).then_some(())).await;
}
