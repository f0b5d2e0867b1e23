//! `plumbline scheduler`.

use crate::boot::{Schema, Store};
use crate::config::{Database, Maintenance, Storage};
use crate::roles::{Schedule, schedule};
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::process::ExitCode;

/// Connections to the database: services take turns at what is long, and each of the rest holds one for a moment.
const CONNECTIONS: u32 = 6;

/// Do what is due, and clean up. Any number of them may run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… PLUMBLINE_ARTIFACTS=s3://… plumbline scheduler")]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    maintenance: Maintenance,
}

/// Runs until told to stop.
pub async fn run(args: Args) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let store = Store::open(&args.database, Schema::Require, CONNECTIONS).await?;
    store
        .serve(&shutdown, async |store| {
            let artifacts = args.storage.open(&args.database.data_dir).await?;
            let parts = Schedule { pool: store.pool.clone(), artifacts, maintenance: args.maintenance };
            schedule(parts, &shutdown)?;
            println!("ready");
            Ok(())
        })
        .await
}
