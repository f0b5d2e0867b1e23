//! `plumbline bench burn`.

use super::Worker;
use super::clock::{per, rounded};
use super::ground::{Begin, Ground};
use super::noop::{Count, Noop, Starts};
use super::work::Fleet;
use anyhow::Result;
use jobs::db::measure;
use jobs::queue::control;
use serde_json::json;
use std::time::{Duration, Instant};

/// Enqueue no-op jobs, then time how long workers take until the database shows all of them done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  plumbline bench burn --jobs 50000\n  plumbline bench burn --processes 4")]
pub struct Args {
    /// How many.
    #[arg(long, default_value_t = 50_000)]
    jobs: usize,
    /// Worker processes.
    #[arg(long, default_value_t = 1)]
    processes: usize,
    #[command(flatten)]
    worker: Worker,
}

#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let (tables, wal) = (ground.tables().await?, ground.wal().await?);
    ground.fill(&Noop::many(args.jobs)).await?;
    measure::analyze_queue(&mut *ground.pool.acquire().await?).await?;
    let enqueued = ground.wal().await?;
    let seconds = if args.processes == 1 { alone(&ground, args).await? } else { together(&ground, args).await? };
    let done = ground.wal().await?;
    let dead = ground.tables().await?.dead_made - tables.dead_made;
    let jobs = args.jobs.max(1) as f64;
    println!(
        "{}",
        json!({
            "metric": "burn", "jobs": args.jobs, "processes": args.processes, "concurrency": args.worker.concurrency,
            "seconds": seconds, "jobs_per_s": per(args.jobs, seconds),
            "wal_bytes_per_job": rounded((done - wal) as f64 / jobs),
            "wal_bytes_per_job_of_the_burn": rounded((done - enqueued) as f64 / jobs),
            "dead_tuples_per_job": rounded(dead as f64 / jobs),
        })
    );
    ground.close().await
}

async fn alone(ground: &Ground, args: &Args) -> Result<f64> {
    let starts = Starts::of(args.jobs);
    let started = Instant::now();
    let working = ground.work(Count::new(&starts), args.worker.concurrency);
    ground.until_done(&starts, args.jobs).await?;
    let seconds = started.elapsed().as_secs_f64();
    working.stop().await?;
    Ok(seconds)
}

async fn together(ground: &Ground, args: &Args) -> Result<f64> {
    let mut conn = ground.connect().await?;
    control::pause(&mut conn, Noop::QUEUE_NAME, "bench").await?;
    let fleet = Fleet::start(ground.url(), args.processes, args.worker.concurrency, &[]).await?;
    let started = Instant::now();
    control::resume(&mut conn, Noop::QUEUE_NAME).await?;
    while measure::any_left(&mut conn, Noop::QUEUE_NAME).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    fleet.stop().await?;
    Ok(seconds)
}
