//! `plumbline dlq list`.

use super::choice::Choice;
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::queue::dead;
use std::process::ExitCode;

/// List dead jobs, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline dlq list --kind scan --since 2h")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Rows at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// The columns of a table of dead jobs.
pub const COLUMNS: [&str; 7] = ["id", "died_at", "kind", "org_id", "reason", "error_class", "replay_job_id"];

/// Lists.
pub async fn run(args: Args) -> Result<ExitCode> {
    let rows = Store::with(&args.database, Schema::Own, async |conn| {
        let filter = args.choice.filter(conn).await?;
        Ok(dead::list(conn, &filter, None, args.limit).await?)
    })
    .await?;
    print(&mut std::io::stdout(), &rows, &COLUMNS, args.json)?;
    if usize::try_from(args.limit).is_ok_and(|limit| rows.len() == limit) {
        eprintln!("there may be more than {}: narrow the filter or raise --limit", args.limit);
    }
    Ok(ExitCode::SUCCESS)
}
