//! The jobs that chaos is let loose on, and what they do: all of them write to the ledger, and each misbehaves in its way.

use jobs::db::chaos::{self, Execution, Note};
use jobs::kinds::Job;
use jobs::queue::JobError;
use jobs::retry::Backoff;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;
use workers::runtime::{Handler, JobContext, Runtime};

/// Succeeds at once.
pub const PLAIN: u8 = 0;
/// Fails twice first.
pub const FLAKY: u8 = 1;
/// Fails always.
pub const DOOMED: u8 = 2;
/// Has a unique key.
pub const KEYED: u8 = 3;
/// Takes half a second to five, and heeds nobody.
pub const SLOW: u8 = 4;
/// Takes its process with it.
pub const POISON: u8 = 5;

/// Classes of failures that no stop is to blame for: what handlers mean to do, a database that does not answer in time, and a
/// lease lost meanwhile on a busy machine. What a stop leaves behind is still claimed when it has ended.
pub const NOT_BY_STOPS: [&str; 4] = ["flaky", "doomed", "database", "worker_lost"];
/// The queue of slow jobs.
pub const SLOW_QUEUE: &str = "chaos_slow";

/// Different keys of keyed jobs.
const KEYS: u16 = 200;
/// Tenants.
const TENANTS: u128 = 7;
/// The budget of jobs that must succeed: faults cost attempts, but never so many.
const PLENTY: i16 = 200;

struct Policy {
    kind: &'static str,
    queue: &'static str,
    max_attempts: i16,
}

const POLICIES: [Policy; 6] = [
    Policy { kind: "chaos_plain", queue: "chaos", max_attempts: PLENTY },
    Policy { kind: "chaos_flaky", queue: "chaos", max_attempts: PLENTY },
    Policy { kind: "chaos_doomed", queue: "chaos", max_attempts: 4 },
    Policy { kind: "chaos_keyed", queue: "chaos", max_attempts: PLENTY },
    Policy { kind: "chaos_slow", queue: SLOW_QUEUE, max_attempts: PLENTY },
    Policy { kind: "chaos_poison", queue: SLOW_QUEUE, max_attempts: 3 },
];

/// A job of one of the kinds above.
#[derive(Debug, Serialize, Deserialize)]
pub struct Load<const K: u8> {
    tenant: Uuid,
    n: u16,
}

impl<const K: u8> Load<K> {
    /// Whether jobs of this kind must end among the dead.
    pub const ENDS_DEAD: bool = K == DOOMED || K == POISON;

    /// Any job of this kind.
    pub fn any(rng: &mut StdRng) -> Self {
        Self { tenant: Uuid::from_u128(rng.random_range(1..=TENANTS)), n: rng.random_range(0..KEYS) }
    }
}

impl<const K: u8> Load<K> {
    /// Whether it takes its time with a transaction open, as a long effect does.
    fn sleeps_under_hold(&self) -> bool {
        self.n.is_multiple_of(4)
    }

    /// How long it takes: half a second to five, even in its logarithm. The token is not awaited, as by a handler that blocks.
    fn time(&self) -> Duration {
        Duration::from_millis(500).mul_f64(10_f64.powf(f64::from(self.n) / f64::from(KEYS)))
    }
}

impl<const K: u8> Job for Load<K> {
    const KIND: &'static str = POLICIES[K as usize].kind;
    const QUEUE: &'static str = POLICIES[K as usize].queue;
    const MAX_ATTEMPTS: i16 = POLICIES[K as usize].max_attempts;
    const TIMEOUT: Duration = Duration::from_secs(20);
    const BACKOFF: Backoff =
        Backoff::Table { delays: &[Duration::from_millis(100), Duration::from_millis(500)], jitter: 0.5 };

    fn tenant(&self) -> Option<Uuid> {
        Some(self.tenant)
    }

    fn unique_key(&self) -> Option<String> {
        (K == KEYED).then(|| self.n.to_string())
    }
}

/// How many jobs of each queue run in this process, and may.
#[derive(Debug)]
struct Slots {
    running: HashMap<&'static str, AtomicUsize>,
    concurrency: usize,
}

/// A slot that is taken until it is dropped.
struct Slot<'a>(&'a AtomicUsize);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Slots {
    /// Takes a slot; whether it should have been free.
    fn take(&self, queue: &'static str) -> Option<(Slot<'_>, bool)> {
        let running = self.running.get(queue)?;
        let before = running.fetch_add(1, Ordering::SeqCst);
        Some((Slot(running), before < self.concurrency))
    }
}

struct Act<const K: u8>(Arc<Slots>);

/// Registers a handler for each kind.
pub fn register(runtime: Runtime, concurrency: usize) -> Runtime {
    let running = POLICIES.iter().map(|policy| (policy.queue, AtomicUsize::new(0))).collect();
    let slots = Arc::new(Slots { running, concurrency });
    runtime
        .register(Act::<PLAIN>(Arc::clone(&slots)))
        .register(Act::<FLAKY>(Arc::clone(&slots)))
        .register(Act::<DOOMED>(Arc::clone(&slots)))
        .register(Act::<KEYED>(Arc::clone(&slots)))
        .register(Act::<SLOW>(Arc::clone(&slots)))
        .register(Act::<POISON>(slots))
}

impl<const K: u8> Handler for Act<K> {
    type Job = Load<K>;

    async fn run(&self, cx: &JobContext, job: Load<K>) -> Result<Value, JobError> {
        if K == POISON {
            std::process::abort();
        }
        let execution = Execution {
            job_id: cx.id.uuid(),
            attempt: cx.attempt,
            max_attempts: cx.max_attempts,
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
        };
        let slot = self.0.take(Load::<K>::QUEUE);
        if slot.as_ref().is_some_and(|(_, is_free)| !is_free) {
            chaos::note(&cx.pool, Note::Crowded, execution).await?;
        }
        let noted = chaos::ran(&cx.pool, execution).await;
        match K {
            FLAKY if cx.attempt <= 2 => return Err(JobError::retry("flaky", "it fails twice")),
            DOOMED => return Err(JobError::retry("doomed", "it always fails")),
            // Even in its logarithm between the two bounds. The token is not awaited, as by a handler that blocks.
            SLOW if !job.sleeps_under_hold() => tokio::time::sleep(job.time()).await,
            _ => {}
        }
        noted?;
        let mut tx = cx.pool.begin().await?;
        if let Err(error) = cx.hold(&mut tx).await {
            drop(tx);
            if error.error_class == "claim_lost" {
                chaos::note(&cx.pool, Note::Refused, execution).await?;
            }
            return Err(error);
        }
        if K == SLOW && job.sleeps_under_hold() {
            tokio::time::sleep(job.time()).await;
        }
        chaos::take_effect(&mut tx, execution).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
