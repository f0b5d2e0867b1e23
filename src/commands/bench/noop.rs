//! The job that the benchmarks run: about 45 bytes of payload, nothing to do.

use super::clock::now_ns;
use jobs::kinds::Job;
use jobs::queue::JobError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;
use workers::runtime::{Handler, JobContext};

/// A job with nothing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Noop {
    /// Its number.
    pub i: usize,
    to: String,
    /// Whose it is; not in the payload.
    #[serde(skip)]
    tenant: u128,
}

impl Noop {
    /// Its queue, without the trait.
    pub const QUEUE_NAME: &str = "bench";

    pub fn new(i: usize) -> Self {
        Self::of(1, i)
    }

    /// One of this tenant.
    pub fn of(tenant: u128, i: usize) -> Self {
        Self { i, to: format!("user{i:06}@example.com"), tenant }
    }

    /// So many, of one tenant.
    pub fn many(jobs: usize) -> Vec<Self> {
        (0..jobs).map(Self::new).collect()
    }
}

impl Job for Noop {
    const KIND: &'static str = "bench_noop";
    const QUEUE: &'static str = Self::QUEUE_NAME;
    const MAX_ATTEMPTS: i16 = 3;
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn tenant(&self) -> Option<Uuid> {
        Some(Uuid::from_u128(self.tenant))
    }
}

/// When jobs started, by their numbers.
#[derive(Debug, Default)]
pub struct Starts {
    first_ns: Vec<AtomicU64>,
    count: AtomicUsize,
}

impl Starts {
    /// For jobs with numbers below `jobs`; the others are only counted.
    pub fn of(jobs: usize) -> Arc<Self> {
        Arc::new(Self { first_ns: (0..jobs).map(|_| AtomicU64::new(0)).collect(), count: AtomicUsize::new(0) })
    }

    /// Starts so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// When this job first started, if it did.
    pub fn of_job(&self, i: usize) -> Option<u64> {
        self.first_ns.get(i).map(|ns| ns.load(Ordering::Relaxed)).filter(|ns| *ns > 0)
    }

    fn note(&self, i: usize) {
        if let Some(first) = self.first_ns.get(i) {
            // A second attempt changes nothing.
            let _ = first.compare_exchange(0, now_ns(), Ordering::Relaxed, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notes when each job starts, and takes its time with those that are not numbered.
#[derive(Debug)]
pub struct Count {
    pub starts: Arc<Starts>,
    /// How long a job takes on average whose number is not below the starts' size: from half to one and a half of it, by its
    /// number, so that what began together does not end together.
    pub others_take: Duration,
}

impl Count {
    pub fn new(starts: &Arc<Starts>) -> Self {
        Self { starts: Arc::clone(starts), others_take: Duration::ZERO }
    }
}

impl Handler for Count {
    type Job = Noop;

    async fn run(&self, _: &JobContext, job: Noop) -> Result<Value, JobError> {
        self.starts.note(job.i);
        if !self.others_take.is_zero() && job.i >= self.starts.first_ns.len() {
            let share = (job.i.wrapping_mul(0x9E37_79B1) >> 8) % 1_024;
            tokio::time::sleep(
                self.others_take / 2 + self.others_take * u32::try_from(share).unwrap_or_default() / 1_024,
            )
            .await;
        }
        Ok(Value::Null)
    }
}
