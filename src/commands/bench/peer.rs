//! `plumbline bench peer`: the same measurements as one peer among others, by the protocol of a harness that runs several
//! queues side by side: settings in `BENCH_…` variables, phases as processes of their own, one JSON object each.

use super::clock::per;
use super::ground::{Begin, Ground};
use super::latency::{measure, merge};
use super::noop::{Count, Noop, Starts};
use crate::config::Database;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Instant;

/// Run one phase of a comparison with other queues.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… BENCH_JOBS=50000 plumbline bench peer burn")]
pub struct Args {
    phase: Phase,
    /// Jobs of `enqueue` and `burn`.
    #[arg(long, env = "BENCH_JOBS", default_value_t = 50_000)]
    jobs: usize,
    /// Jobs a second of `latency`.
    #[arg(long, env = "BENCH_RATE", default_value_t = 200)]
    rate: u64,
    /// Seconds of `latency`.
    #[arg(long, env = "BENCH_SECS", default_value_t = 20)]
    seconds: u64,
    /// What the harness calls this set of settings.
    #[arg(long, env = "BENCH_VARIANT", default_value = "default")]
    variant: String,
    /// Jobs that run at once.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Phase {
    /// Make the tables.
    Setup,
    /// Enqueue in bulk.
    Enqueue,
    /// Run all of it.
    Burn,
    /// Run while another process enqueues one by one.
    Latency,
}

pub async fn run(args: &Args) -> Result<()> {
    let begin = if args.phase == Phase::Setup { Begin::Empty } else { Begin::AsItIs };
    let ground = Ground::open(&args.database, begin).await?;
    let settings = format!("concurrency {}, the product's defaults; enqueue by enqueue_many", args.concurrency);
    let fields = match args.phase {
        Phase::Setup => None,
        Phase::Enqueue => {
            let jobs = Noop::many(args.jobs);
            let started = Instant::now();
            ground.fill(&jobs).await?;
            let seconds = started.elapsed().as_secs_f64();
            let rate = per(args.jobs, seconds);
            Some(json!({"phase": "enqueue", "jobs": args.jobs, "seconds": seconds, "enqueue_per_s": rate}))
        }
        Phase::Burn => {
            let starts = Starts::of(args.jobs);
            let started = Instant::now();
            let working = ground.work(Count::new(&starts), args.concurrency);
            ground.until_done(&starts, args.jobs).await?;
            let seconds = started.elapsed().as_secs_f64();
            working.stop().await?;
            let (rate, handled) = (per(args.jobs, seconds), starts.count());
            Some(json!({
                "phase": "burn", "jobs": args.jobs, "handled": handled, "seconds": seconds, "burn_per_s": rate
            }))
        }
        Phase::Latency => {
            let measured = measure(&ground, args.rate, args.seconds, args.concurrency).await?;
            let field = |name: &str| measured[name].clone();
            Some(json!({
                "phase": "latency", "lat_p50_ms": field("p50_ms"), "lat_p95_ms": field("p95_ms"),
                "lat_p99_ms": field("p99_ms"), "lat_max_ms": field("max_ms"), "achieved_rate": field("achieved_rate"),
                "enqueue_one_p50_ms": field("enqueue_p50_ms"), "lat_jobs": field("jobs"), "lat_missing": field("missing"),
            }))
        }
    };
    if let Some(fields) = fields {
        let version = env!("CARGO_PKG_VERSION");
        let mut line: Value =
            json!({"peer": "ours", "version": version, "variant": args.variant, "settings": settings});
        merge(&mut line, fields);
        println!("{line}");
    }
    ground.leave().await
}
