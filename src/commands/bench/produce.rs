//! The producer of the latency benchmark: a process of its own, so that it shares nothing with the worker but the machine.

use super::clock::now_ns;
use super::ground::{Begin, Ground};
use super::noop::Noop;
use crate::config::Database;
use anyhow::Result;
use jobs::queue::enqueue;
use sqlx::Connection as _;
use std::fmt::Write as _;
use std::time::Duration;

/// Enqueue jobs one by one at a rate, whatever becomes of them; a line for each: number, begin and commit in nanoseconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: none; other benchmarks start it.")]
pub struct Args {
    #[arg(long)]
    pub rate: u64,
    #[arg(long)]
    pub seconds: u64,
    #[command(flatten)]
    database: Database,
}

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.database, Begin::AsItIs).await?;
    let mut conn = ground.connect().await?;
    let gap = 1_000_000_000 / args.rate.max(1);
    let total = args.rate * args.seconds;
    let mut lines = String::new();
    let start = now_ns();
    for i in 0..total {
        let due = start + gap * i;
        tokio::time::sleep(Duration::from_nanos(due.saturating_sub(now_ns()))).await;
        let begin = now_ns();
        let mut tx = conn.begin().await?;
        enqueue(&mut tx, &Noop::new(usize::try_from(i)?)).await?;
        tx.commit().await?;
        writeln!(lines, "{i} {begin} {}", now_ns())?;
    }
    print!("{lines}");
    ground.leave().await
}
