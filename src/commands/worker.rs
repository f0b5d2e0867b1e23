//! `plumbline worker`.

use crate::boot::{Schema, Store};
use crate::config::{MissingKey, Work};
use crate::roles::{Ground, Settings, work};
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::process::ExitCode;

/// Connections to the database: two for each queue, and what handlers hold while they write.
const CONNECTIONS: u32 = 40;

/// Run jobs: scans, drift, refreshes. Any number of them may run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… plumbline worker --queues scans,drift --concurrency 8")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    work: Work,
}

/// Works until told to stop.
pub async fn run(args: Args) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let store = Store::open(&args.settings.database, Schema::Require, CONNECTIONS).await?;
    store
        .serve(&shutdown, async |store| {
            let ground = Ground::lay(&args.settings, store, MissingKey::Refuse, &shutdown).await?;
            work(&args.work, &ground, &shutdown)?;
            println!("ready");
            Ok(())
        })
        .await
}
