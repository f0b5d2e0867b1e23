//! `plumbline up`.

use crate::boot::{Schema, Store};
use crate::config::{Database, Http, Oidc, Secrets};
use anyhow::Result;
use std::process::ExitCode;

/// Everything in one process, on an embedded Postgres unless `DATABASE_URL` is set.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline up --data-dir /var/lib/plumbline --listen 127.0.0.1:8080")]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    oidc: Oidc,
}

/// Runs.
pub async fn run(args: Args) -> Result<ExitCode> {
    let store = Store::open(&args.database, Schema::Own, 2).await?;
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}
