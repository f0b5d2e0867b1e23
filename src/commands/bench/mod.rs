//! `plumbline bench …`: measuring the product, and putting it to the test.

mod chaos;

use anyhow::Result;
use std::process::ExitCode;

/// Measure the product, or put it to the test.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    Chaos(chaos::Args),
    #[command(hide = true)]
    ChaosWorker(chaos::WorkerArgs),
}

/// Runs one of them.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.bench {
        Bench::Chaos(args) => chaos::run(args).await,
        Bench::ChaosWorker(args) => chaos::work(args).await,
    }
}
