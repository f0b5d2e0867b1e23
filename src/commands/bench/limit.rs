//! `plumbline bench limit`.

use super::Worker;
use super::clock::per;
use super::ground::{Begin, Ground};
use super::noop::Noop;
use super::work::Fleet;
use crate::commands::scratch::Scratch;
use anyhow::{Context as _, Result};
use jobs::db::measure;
use jobs::kinds::Job as _;
use jobs::queue::{control, limit};
use serde_json::json;
use std::time::{Duration, Instant};

/// The highest number of a tenant's jobs that ever ran at once in several processes, under a limit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench limit --limit 3 --processes 4")]
pub struct Args {
    /// How many may.
    #[arg(long, default_value_t = 3)]
    limit: i32,
    /// Worker processes.
    #[arg(long, default_value_t = 4)]
    processes: usize,
    /// Jobs of the limited tenant.
    #[arg(long, default_value_t = 1_000)]
    jobs: usize,
    /// How long each takes, in milliseconds.
    #[arg(long, default_value_t = 5)]
    takes_ms: u64,
    #[command(flatten)]
    worker: Worker,
}

/// The tenant with a limit.
const LIMITED: u128 = 1;

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let times = Scratch::new("bench")?;
    let mut conn = ground.connect().await?;
    let of = limit::Limit {
        kind: Noop::KIND.to_owned(),
        per: limit::Per::Tenant,
        tenant: Noop::of(LIMITED, 0).tenant().unwrap_or_default(),
        max_running: args.limit,
    };
    limit::set(&mut conn, &of, "bench").await?;
    ground.fill(&(0..args.jobs).map(|i| Noop::of(LIMITED, i)).collect::<Vec<_>>()).await?;
    control::pause(&mut conn, Noop::QUEUE_NAME, "bench").await?;
    let file = times.path().join("{}").display().to_string();
    let options = ["--hold-ms".to_owned(), args.takes_ms.to_string(), "--times".to_owned(), file];
    let fleet = Fleet::start(ground.url(), args.processes, args.worker.concurrency, &options).await?;
    let started = Instant::now();
    control::resume(&mut conn, Noop::QUEUE_NAME).await?;
    while measure::any_left(&mut conn, Noop::QUEUE_NAME).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    fleet.stop().await?;

    // Each job is one up at its beginning and one down at its end; the sum over time is how many ran.
    let mut steps = Vec::new();
    for number in 0..args.processes {
        let text = tokio::fs::read_to_string(times.path().join(number.to_string())).await?;
        for line in text.lines() {
            let (begin, end) = line.split_once(' ').context("a worker wrote times that are none")?;
            steps.extend([(begin.parse::<u64>()?, 1), (end.parse()?, -1)]);
        }
    }
    steps.sort_unstable();
    let mut running = 0;
    let highest = steps
        .iter()
        .map(|(_, step)| {
            running += step;
            running
        })
        .max()
        .unwrap_or_default();
    println!(
        "{}",
        json!({
            "metric": "limit", "limit": args.limit, "processes": args.processes, "jobs": args.jobs,
            "ran": steps.len() / 2, "highest_running": highest, "seconds": seconds, "jobs_per_s": per(args.jobs, seconds),
        })
    );
    ground.close().await
}
