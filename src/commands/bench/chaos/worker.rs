//! A worker process under chaos: the production runtime with handlers that keep a ledger, and a short lease.

use super::kinds;
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::shutdown::Shutdown;
use anyhow::Result;
use jobs::queue::{Config, Signals};
use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;
use workers::runtime::{self, Runtime};

/// Connections of one process for two queues and their handlers: fewer than handlers may want at once.
const CONNECTIONS: u32 = 14;
/// The most connections of one process: these, two for its heartbeat and its rescues, and its ear.
pub const MOST_CONNECTIONS: u32 = CONNECTIONS + 3;
/// Silence after which a process's jobs are rescued.
pub const LEASE: Duration = Duration::from_secs(3);
/// Between two rescues.
pub const RESCUE_EVERY: Duration = Duration::from_millis(500);
/// Between two tries to open the database, which may be away when the process starts.
const AGAIN: Duration = Duration::from_millis(200);

/// One worker of `bench chaos`, which starts it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench chaos   # starts as many as it needs")]
pub struct WorkerArgs {
    #[command(flatten)]
    database: Database,
    /// Jobs of each queue that run at once.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

/// Works until told to stop, or until whoever holds the other end of standard input is gone.
pub async fn work(args: WorkerArgs) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let hard = shutdown.hard();
    // A thread, because a read of standard input cannot be given up.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        hard.cancel();
    });
    let store = loop {
        match Store::open(&args.database, Schema::Require, CONNECTIONS).await {
            Ok(store) => break store,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the database is away, trying again"),
        }
        if shutdown.soft().run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    };
    let config = Config {
        concurrency: args.concurrency,
        beat_every: Duration::from_millis(500),
        lease: LEASE,
        poll_every: Duration::from_millis(250),
        rescue_every: RESCUE_EVERY,
        grace: Duration::from_secs(1),
        cancel_grace: Duration::from_millis(500),
        // Nothing beats the heart while outcomes are flushed.
        flush_grace: LEASE / 2,
        ..Config::default()
    };
    store
        .serve(&shutdown, async |store| {
            let signals = Signals::listen(store.url.clone(), shutdown.hard());
            let runtime = Runtime::builder(store.pool.clone(), signals, config);
            let runtime = kinds::register(runtime, args.concurrency);
            let stages = runtime::Shutdown { soft: shutdown.soft(), hard: shutdown.hard() };
            shutdown.spawn("worker", async move {
                let stopped = runtime.run(stages).await?;
                anyhow::ensure!(stopped.clean, "some jobs were left behind");
                Ok(())
            });
            Ok(())
        })
        .await
}
