//! `plumbline migrate`.

use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::schema;
use std::process::ExitCode;

/// Apply the database's migrations; safe to run from many machines at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  plumbline migrate\n  plumbline migrate --check   # exit status 1 when some are pending"
)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Only list what is pending; exit status 1 if anything is.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    json: Json,
}

/// Applies the pending migrations, or lists them.
pub async fn run(args: Args) -> Result<ExitCode> {
    let store = Store::open(&args.database, Schema::Ignore, 2).await?;
    let result = work(&store, args.check).await;
    store.close().await?;
    let migrations = result?;
    print(&mut std::io::stdout(), &migrations, &["version", "description"], args.json)?;
    Ok(if args.check && !migrations.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn work(store: &Store, check: bool) -> Result<Vec<schema::Migration>> {
    if check {
        let mut conn = store.pool.acquire().await?;
        return Ok(schema::pending(&mut conn).await?);
    }
    Ok(schema::migrate(&store.connect_options()?).await?)
}
