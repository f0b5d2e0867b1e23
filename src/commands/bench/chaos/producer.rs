//! Load: jobs of all kinds, enqueued in transactions together with their rows in the ledger.
//!
//! A commit whose answer is lost may have happened or not; the ledger's own row, which stands or falls with the job, tells.
//! What was acknowledged is remembered here, outside of the database, and must be found in it at the end.

use super::kinds::{DOOMED, FLAKY, KEYED, Load, PLAIN, POISON, SLOW};
use anyhow::Result;
use jobs::db::chaos::{self, Batch};
use jobs::kinds::Job as _;
use jobs::queue;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two transactions.
const TICK: Duration = Duration::from_millis(50);
/// How long a transaction may take before its answer is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// No more is enqueued while so many jobs wait: faults take time from the workers.
const MOST_OPEN: i64 = 5_000;
/// Between two poison jobs, each of which costs three processes.
const POISON_EVERY: Duration = Duration::from_mins(1);

/// What the producer remembers.
#[derive(Debug, Default)]
pub struct Produced {
    /// Jobs whose commit was acknowledged.
    pub acknowledged: Vec<Uuid>,
    /// Transactions that failed, or whose answer was lost.
    pub failed: u64,
}

/// The producer, running.
#[derive(Debug)]
pub struct Producer {
    stop: CancellationToken,
    task: JoinHandle<Produced>,
}

impl Producer {
    /// Starts enqueueing about `rate` jobs a second.
    pub fn start(pool: PgPool, rate: u32, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move {
            let mut this = Production {
                rng: StdRng::seed_from_u64(seed),
                produced: Produced::default(),
                poisoned: Instant::now().checked_sub(POISON_EVERY),
            };
            let mut due = 0.0;
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while token.run_until_cancelled(ticks.tick()).await.is_some() {
                due += f64::from(rate) * TICK.as_secs_f64();
                let whole = due.floor();
                let answer = tokio::time::timeout(PATIENCE, this.transaction(&pool, whole)).await;
                if !matches!(answer, Ok(Ok(()))) {
                    tracing::debug!(?answer, "enqueueing failed");
                    this.produced.failed += 1;
                }
                due -= whole;
            }
            this.produced
        });
        Self { stop, task }
    }

    /// Stops it.
    pub async fn stop(self) -> Result<Produced> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

struct Production {
    rng: StdRng,
    produced: Produced,
    poisoned: Option<Instant>,
}

impl Production {
    async fn transaction(&mut self, pool: &PgPool, jobs: f64) -> Result<()> {
        let mut conn = pool.acquire().await?;
        if chaos::open_jobs(&mut *conn).await? > MOST_OPEN {
            return Ok(());
        }
        let mut tx = conn.begin().await?;
        let mut ids = Vec::new();
        ids.extend(self.some::<PLAIN>(&mut tx, jobs * 0.80).await?);
        ids.extend(self.some::<FLAKY>(&mut tx, jobs * 0.08).await?);
        ids.extend(self.some::<KEYED>(&mut tx, jobs * 0.07).await?);
        ids.extend(self.some::<SLOW>(&mut tx, jobs * 0.03).await?);
        ids.extend(self.some::<DOOMED>(&mut tx, jobs * 0.02).await?);
        let is_due = self.poisoned.is_none_or(|last| last.elapsed() >= POISON_EVERY);
        if is_due {
            ids.extend(self.some::<POISON>(&mut tx, 1.0).await?);
        }
        tx.commit().await?;
        if is_due {
            self.poisoned = Some(Instant::now());
        }
        self.produced.acknowledged.append(&mut ids);
        Ok(())
    }

    /// Enqueues `share` jobs of a kind: its whole part, and one more as often as the rest says.
    async fn some<const K: u8>(&mut self, conn: &mut PgConnection, share: f64) -> Result<Vec<Uuid>> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        let count = share.floor() as usize + usize::from(self.rng.random_bool(share.fract()));
        let jobs: Vec<Load<K>> = (0..count).map(|_| Load::any(&mut self.rng)).collect();
        let enqueued = queue::enqueue_many(conn, &jobs).await?;
        let mut ids: Vec<Uuid> = enqueued.iter().filter(|job| !job.existing).map(|job| job.id.uuid()).collect();
        // Two of a batch may have the same key, and then one job.
        ids.sort_unstable();
        ids.dedup();
        chaos::enqueued(conn, Batch { kind: Load::<K>::KIND, ends_dead: Load::<K>::ENDS_DEAD, ids: &ids }).await?;
        Ok(ids)
    }
}
