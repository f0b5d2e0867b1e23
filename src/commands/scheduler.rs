//! `plumbline scheduler`.

use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::roles::schedule;
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::process::ExitCode;

/// Connections to the database: one for each service, and one to spare.
const CONNECTIONS: u32 = 4;

/// Do what is due, and clean up. Any number of them may run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… plumbline scheduler")]
pub struct Args {
    #[command(flatten)]
    database: Database,
}

/// Runs until told to stop.
pub async fn run(args: Args) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let store = Store::open(&args.database, Schema::Require, CONNECTIONS).await?;
    store
        .serve(&shutdown, async |store| {
            schedule(&store.pool, &shutdown);
            println!("ready");
            Ok(())
        })
        .await
}
