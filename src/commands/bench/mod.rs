//! `plumbline bench`: what the queue, the webhooks and the schedules do on a machine and a database, through the code that production runs.
//!
//! Every benchmark works in a schema of its own, [`ground::SCHEMA`], and prints one JSON object. The method and measured numbers
//! stand in `docs/benchmarks.md`. [`chaos`] measures what survives.

mod burn;
mod chaos;
mod claim;
mod clock;
mod deliver;
mod enqueue;
mod fairness;
mod ground;
mod latency;
mod limit;
mod maintenance;
mod noop;
mod peer;
mod process;
mod produce;
mod schedules;
mod soak;
mod work;

use crate::config::Database;
use anyhow::Result;
use std::process::ExitCode;

/// Measure the queue, the webhooks and the schedules, in a schema of its own; one JSON object for each measurement.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Enqueue(enqueue::Args),
    Burn(burn::Args),
    Latency(latency::Args),
    Fairness(fairness::Args),
    Limit(limit::Args),
    Claim(claim::Args),
    Maintenance(maintenance::Args),
    Soak(soak::Args),
    Peer(peer::Args),
    Deliver(deliver::Args),
    Schedules(schedules::Args),
    Chaos(chaos::Args),
    #[command(hide = true)]
    Produce(produce::Args),
    #[command(hide = true)]
    Work(work::Args),
    #[command(hide = true)]
    Receive(deliver::ReceiveArgs),
    #[command(hide = true)]
    ChaosWorker(chaos::WorkerArgs),
}

/// What all benchmarks of a worker share.
#[derive(Debug, Clone, clap::Args)]
struct Worker {
    /// Jobs that run at once in a worker process.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
    #[command(flatten)]
    database: Database,
}

/// Runs a benchmark.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Enqueue(args) => enqueue::run(&args).await,
        What::Burn(args) => burn::run(&args).await,
        What::Latency(args) => latency::run(&args).await,
        What::Fairness(args) => fairness::run(&args).await,
        What::Limit(args) => limit::run(&args).await,
        What::Claim(args) => claim::run(&args).await,
        What::Maintenance(args) => maintenance::run(&args).await,
        What::Soak(args) => soak::run(&args).await,
        What::Peer(args) => peer::run(&args).await,
        What::Deliver(args) => deliver::run(&args).await,
        What::Schedules(args) => schedules::run(&args).await,
        What::Receive(args) => deliver::receive(&args).await,
        What::Produce(args) => produce::run(&args).await,
        What::Work(args) => work::run(&args).await,
        What::Chaos(args) => return chaos::run(args).await,
        What::ChaosWorker(args) => return chaos::work(args).await,
    }?;
    Ok(ExitCode::SUCCESS)
}
