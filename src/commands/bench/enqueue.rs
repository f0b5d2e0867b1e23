//! `plumbline bench enqueue`.

use super::clock::per;
use super::ground::{BATCH, Begin, Ground};
use super::noop::Noop;
use crate::config::Database;
use anyhow::Result;
use serde_json::json;
use std::time::Instant;

/// Enqueue jobs in bulk, in transactions of 1,000 from one connection.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench enqueue --jobs 50000")]
pub struct Args {
    /// How many.
    #[arg(long, default_value_t = 50_000)]
    jobs: usize,
    #[command(flatten)]
    database: Database,
}

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.database, Begin::Empty).await?;
    let jobs = Noop::many(args.jobs);
    let wal = ground.wal().await?;
    let started = Instant::now();
    ground.fill(&jobs).await?;
    let seconds = started.elapsed().as_secs_f64();
    let wal = ground.wal().await? - wal;
    println!(
        "{}",
        json!({
            "metric": "enqueue", "jobs": args.jobs, "batch": BATCH, "seconds": seconds,
            "jobs_per_s": per(args.jobs, seconds),
            "wal_bytes_per_job": wal / i64::try_from(args.jobs.max(1))?,
        })
    );
    ground.close().await
}
