//! `plumbline api`.

use crate::boot::{Schema, Store};
use crate::config::MissingKey;
use crate::roles::{ApiSettings, Ground, Settings, serve_api};
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::process::ExitCode;

/// Connections to the database: requests are short, and wait for one rather than pile up in Postgres.
const CONNECTIONS: u32 = 24;

/// Serve the API. Any number of them may run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… plumbline api --listen 0.0.0.0:8080")]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    api: ApiSettings,
}

/// Serves until told to stop.
pub async fn run(args: Args) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let store = Store::open(&args.settings.database, Schema::Require, CONNECTIONS).await?;
    store
        .serve(&shutdown, async |store| {
            let ground = Ground::lay(&args.settings, store, MissingKey::Refuse, &shutdown).await?;
            let url = serve_api(&args.api, &ground, &shutdown).await?;
            println!("ready {url}");
            Ok(())
        })
        .await
}
