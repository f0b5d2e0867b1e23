//! `plumbline bench claim`.

use super::clock::{ms_between, now_ns, summary};
use super::ground::{Begin, Ground};
use super::latency::merge;
use super::noop::Noop;
use crate::config::Database;
use anyhow::Result;
use jobs::db::measure;
use jobs::queue::{ClaimRequest, Lease, Look, Settlement, Stream, Verdict, claim, settle};
use serde_json::{Value, json};

/// How long a claim takes beside so many waiting jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench claim --waiting 1000000")]
pub struct Args {
    /// Jobs that wait, beside those that are claimed.
    #[arg(long, default_value_t = 100_000)]
    waiting: usize,
    /// Claims of one job; and a tenth as many of 500.
    #[arg(long, default_value_t = 500)]
    claims: usize,
    #[command(flatten)]
    database: Database,
}

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.database, Begin::Empty).await?;
    // Twenty tenants, so that there is something to choose from.
    let many = args.waiting + args.claims + args.claims / 10 * 500;
    ground.fill(&(0..many).map(|i| Noop::of(1 + i as u128 % 20, i)).collect::<Vec<_>>()).await?;
    measure::analyze_queue(&mut *ground.pool.acquire().await?).await?;
    let lease = Lease::register(&ground.pool, "bench", &[Noop::QUEUE_NAME.to_owned()]).await?;
    let mut line = json!({"metric": "claim", "waiting": args.waiting});
    merge(&mut line, claims(&ground, &lease, args.claims, 1, "one_").await?);
    merge(&mut line, claims(&ground, &lease, args.claims / 10, 500, "of_500_").await?);
    println!("{line}");
    ground.close().await
}

async fn claims(ground: &Ground, lease: &Lease, claims: usize, limit: usize, prefix: &str) -> Result<Value> {
    let mut conn = ground.connect().await?;
    let mut times = Vec::with_capacity(claims);
    let mut after = Stream::default();
    for _ in 0..claims {
        let asked = now_ns();
        let look = Look::Everywhere { after: &after };
        let request = ClaimRequest { worker: lease.worker(), queue: Noop::QUEUE_NAME, limit, look };
        let claimed = claim(&mut conn, request).await?.jobs;
        times.push(ms_between(asked, now_ns()));
        anyhow::ensure!(claimed.len() == limit, "{} of {limit} jobs were claimed", claimed.len());
        after = claimed.last().map(|job| job.stream.clone()).unwrap_or_default();
        let done: Vec<Settlement> = claimed
            .iter()
            .map(|job| Settlement { claim: job.claim, has_trail: job.has_trail, verdict: Verdict::Done(Value::Null) })
            .collect();
        settle(&mut conn, &done).await?;
    }
    Ok(summary(prefix, times))
}
