//! `plumbline bench fairness`.

use super::Worker;
use super::clock::{ms_between, now_ns, summary};
use super::ground::{Begin, Ground};
use super::latency::merge;
use super::noop::{Count, Noop, Starts};
use anyhow::Result;
use jobs::db::measure;
use jobs::queue::enqueue;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The wait of tenants with a job a second each, without and with another tenant's backlog before them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench fairness --backlog 50000 --tenants 10 --seconds 20")]
pub struct Args {
    /// The other tenant's jobs.
    #[arg(long, default_value_t = 50_000)]
    backlog: usize,
    /// How long each of them takes on average, in milliseconds: from half to one and a half of it.
    #[arg(long, default_value_t = 20)]
    backlog_takes_ms: u64,
    /// Tenants with a job a second.
    #[arg(long, default_value_t = 10)]
    tenants: u64,
    /// For how long, each time.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Jobs that run at once.
    #[arg(long, default_value_t = 32)]
    slots: usize,
    #[command(flatten)]
    worker: Worker,
}

/// The tenant with the backlog; the others follow.
const BUSY: u128 = 1;

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let small = usize::try_from(args.tenants * args.seconds)?;
    let mut line = json!({
        "metric": "fairness", "backlog": args.backlog, "backlog_takes_ms": args.backlog_takes_ms,
        "tenants": args.tenants, "slots": args.slots,
    });
    merge(&mut line, phase(&ground, args, small, "unloaded_").await?);
    // Numbers from `small` on: their starts are counted only, and they take their time.
    let backlog: Vec<Noop> = (small..small + args.backlog).map(|i| Noop::of(BUSY, i)).collect();
    ground.fill(&backlog).await?;
    merge(&mut line, phase(&ground, args, small, "").await?);
    let mut conn = ground.pool.acquire().await?;
    line["backlog_left"] = measure::jobs_left(&mut conn, Noop::QUEUE_NAME).await?.into();
    drop(conn);
    println!("{line}");
    ground.close().await
}

/// Enqueues `small` jobs, spread evenly over the time and round the tenants, while a worker runs; their waits.
async fn phase(ground: &Ground, args: &Args, small: usize, prefix: &str) -> Result<Value> {
    let starts = Starts::of(small);
    let handler = Count { starts: Arc::clone(&starts), others_take: Duration::from_millis(args.backlog_takes_ms) };
    let working = ground.work(handler, args.slots);
    let mut conn = ground.connect().await?;
    let gap = 1_000_000_000 / args.tenants;
    let start = now_ns() + gap;
    let mut commits = Vec::with_capacity(small);
    for i in 0..small {
        let due = start + gap * u64::try_from(i)?;
        tokio::time::sleep(Duration::from_nanos(due.saturating_sub(now_ns()))).await;
        let tenant = BUSY + 1 + u128::try_from(i)? % u128::from(args.tenants);
        enqueue(&mut conn, &Noop::of(tenant, i)).await?;
        commits.push(now_ns());
    }
    let all = async {
        while (0..small).any(|i| starts.of_job(i).is_none()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Those that have not started by then are missing.
    let _ = tokio::time::timeout(Duration::from_secs(30), all).await;
    working.stop().await?;
    let waits: Vec<f64> =
        commits.iter().enumerate().filter_map(|(i, commit)| Some(ms_between(*commit, starts.of_job(i)?))).collect();
    let missing = small - waits.len();
    let mut fields = summary(prefix, waits);
    fields[format!("{prefix}missing")] = missing.into();
    Ok(fields)
}
