//! `plumbline dlq replay`: one dead job, or all that match.

use super::batch;
use super::choice::Choice;
use crate::boot::{Schema, Store};
use crate::commands::by_command_line;
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::{Result, bail};
use jobs::audit::{By, Origin};
use jobs::dead_letters;
use jobs::ids::JobId;
use jobs::queue::dead::Replay;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;

/// Run a dead job again, or by filters all that match: with fresh attempts. It stays a dead letter until its replay succeeds.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").args(["id", "kind", "org", "queue", "reason", "error_class", "since", "until"])
        .multiple(true).required(true)),
    after_help = "Example:\n  plumbline dlq replay 01890a5d-ac96-774b-bcce-b302099a8057\n  \
                  plumbline dlq replay --kind scan --since 2h --dry-run\n  \
                  plumbline dlq replay --kind scan --since 2h --rate 50 --wait"
)]
pub struct Args {
    /// The dead job's id.
    #[arg(conflicts_with_all = ["choice", "rate", "dry_run", "wait", "note"])]
    id: Option<JobId>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    batch: batch::Options,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Replays.
pub async fn run(args: Args) -> Result<ExitCode> {
    Store::with(&args.database, Schema::Own, async |conn| {
        if let Some(id) = args.id {
            return one(conn, id, args.json).await;
        }
        let filter = args.choice.filter(conn).await?;
        batch::run(conn, &filter, &args.batch, args.json).await
    })
    .await
}

async fn one(conn: &mut PgConnection, id: JobId, json: Json) -> Result<ExitCode> {
    let actor = by_command_line();
    let by = By { actor: &actor, origin: &Origin::default() };
    let mut tx = conn.begin().await?;
    let replay = dead_letters::replay(&mut tx, by, id).await?;
    tx.commit().await?;
    match replay {
        Replay::Enqueued(new) => {
            let record = json!({"id": new.id, "replay_of": new.dead_id, "kind": new.kind, "queue": new.queue});
            print(&mut std::io::stdout(), &[record], &["id", "replay_of", "kind", "queue"], json)?;
            Ok(ExitCode::SUCCESS)
        }
        Replay::Running(replay) => bail!("job {id} is being replayed already, as {replay}"),
        Replay::Superseded(Some(holder)) => {
            bail!("job {id} is superseded: job {holder} waits or runs with the same unique key and does its work")
        }
        Replay::Superseded(None) => {
            bail!("job {id} was superseded by one that ended just now: try again if it shall run")
        }
        Replay::Alive => bail!("job {id} is not dead: it waits or runs"),
        Replay::NotDead => bail!("no job {id} is dead"),
    }
}
