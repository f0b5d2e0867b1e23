//! `plumbline dlq show`.

use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print, print_one};
use anyhow::{Result, bail};
use jobs::ids::JobId;
use jobs::payloads::{self, Audience, Shown};
use jobs::queue::dead::{self, DeadJob};
use serde::Serialize;
use std::process::ExitCode;

/// Show a dead job: its payload without secrets, every attempt's error, what it replayed and what replays it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline dlq show 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct Args {
    /// The dead job's id.
    id: JobId,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Serialize)]
struct Detail {
    #[serde(flatten)]
    job: DeadJob,
    #[serde(flatten)]
    shown: Shown,
}

/// Shows.
pub async fn run(args: Args) -> Result<ExitCode> {
    let found = Store::with(&args.database, Schema::Own, async |conn| Ok(dead::get(conn, args.id).await?)).await?;
    let Some(job) = found else { bail!("no job {} is dead", args.id) };
    let detail = Detail { shown: payloads::shown(&job.kind, &job.payload, Audience::Operators), job };
    if args.json.json {
        print(&mut std::io::stdout(), &[detail], &[], args.json)?;
    } else {
        print_one(&mut std::io::stdout(), &detail)?;
    }
    Ok(ExitCode::SUCCESS)
}
