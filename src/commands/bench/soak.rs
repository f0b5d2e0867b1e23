//! `plumbline bench soak`.

use super::Worker;
use super::clock::per;
use super::ground::{BATCH, Begin, Ground};
use super::noop::{Count, Noop, Starts};
use anyhow::Result;
use jobs::db::measure;
use jobs::queue::enqueue_many;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Enqueue and run at once for long, and say how throughput and sizes develop; a line for each interval.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench soak --seconds 600 --snapshot-at 300 --snapshot-for 120")]
pub struct Args {
    /// For how long.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Length of an interval, in seconds.
    #[arg(long, default_value_t = 60)]
    every: u64,
    /// Jobs kept waiting, as far as the producer keeps up.
    #[arg(long, default_value_t = 20_000)]
    waiting: usize,
    /// When to open a transaction with a snapshot and hold it, in seconds from the beginning.
    #[arg(long)]
    snapshot_at: Option<u64>,
    /// For how long to hold it, in seconds.
    #[arg(long, default_value_t = 120)]
    snapshot_for: u64,
    #[command(flatten)]
    worker: Worker,
}

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let starts = Starts::of(0);
    let working = ground.work(Count::new(&starts), args.worker.concurrency);
    let stop = CancellationToken::new();
    let enqueued = Arc::new(AtomicUsize::new(0));
    let producer = tokio::spawn(stop.clone().run_until_cancelled_owned(produce(
        ground.connect().await?,
        Arc::clone(&enqueued),
        Arc::clone(&starts),
        args.waiting,
    )));
    let begun = Instant::now();
    let mut holder = ground.connect().await?;
    let (mut held, mut before) = (false, 0);
    for interval in 1..=args.seconds / args.every.max(1) {
        let end = Duration::from_secs(interval * args.every);
        while begun.elapsed() < end {
            let now = begun.elapsed().as_secs();
            let hold = args.snapshot_at.is_some_and(|at| (at..at + args.snapshot_for).contains(&now));
            if hold != held {
                if hold {
                    measure::hold_snapshot(&mut holder).await?;
                } else {
                    measure::release_snapshot(&mut holder).await?;
                }
                held = hold;
            }
            tokio::time::sleep(Duration::from_millis(100).min(end.saturating_sub(begun.elapsed()))).await;
        }
        let done = starts.count();
        let tables = measure::tables(&mut *ground.pool.acquire().await?).await?;
        println!(
            "{}",
            json!({
                "metric": "soak", "until_s": interval * args.every, "snapshot_held": held,
                "jobs_per_s": per(done - before, Duration::from_secs(args.every).as_secs_f64()),
                "waiting": enqueued.load(Ordering::Relaxed).saturating_sub(done),
                "heap_mb": tables.heap_bytes / 1_000_000, "index_mb": tables.index_bytes / 1_000_000,
                "dead_tuples": tables.dead,
            })
        );
        before = done;
    }
    stop.cancel();
    let _ = producer.await?.transpose()?;
    working.stop().await?;
    drop(holder);
    ground.close().await
}

/// Keeps so many jobs waiting.
async fn produce(
    mut conn: PgConnection,
    enqueued: Arc<AtomicUsize>,
    starts: Arc<Starts>,
    waiting: usize,
) -> Result<()> {
    let mut next = 0;
    loop {
        if next >= starts.count() + waiting {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let jobs: Vec<Noop> = (next..next + BATCH).map(Noop::new).collect();
        let mut tx = conn.begin().await?;
        enqueue_many(&mut tx, &jobs).await?;
        tx.commit().await?;
        next += BATCH;
        enqueued.store(next, Ordering::Relaxed);
    }
}
