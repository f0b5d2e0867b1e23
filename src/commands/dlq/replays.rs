//! `plumbline dlq replays`: the batches.

use crate::boot::{Schema, Store};
use crate::commands::by_command_line;
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::{Context as _, Result, bail};
use jobs::audit::{By, Origin};
use jobs::dead_letters;
use jobs::ids::ReplayBatchId;
use jobs::queue::replay_batch::{self, Cancelling, ReplayBatch};
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;

/// List the batches of replays, newest first; show or cancel one.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  plumbline dlq replays --limit 5\n  plumbline dlq replays cancel 01890a5d-ac96-774b-bcce-b302099a8057"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Rows at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    limit: i64,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show how far a batch is.
    #[command(after_help = "Example:\n  plumbline dlq replays show 01890a5d-ac96-774b-bcce-b302099a8057 --json")]
    Show(One),
    /// Stop a batch; what it has replayed stays replayed.
    #[command(after_help = "Example:\n  plumbline dlq replays cancel 01890a5d-ac96-774b-bcce-b302099a8057")]
    Cancel(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The batch's id.
    id: ReplayBatchId,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

const COLUMNS: [&str; 10] = [
    "id",
    "state",
    "total",
    "replayed",
    "superseded",
    "already_replayed",
    "discarded",
    "expired",
    "created_at",
    "finished_at",
];

/// Prints batches.
pub fn show(batches: &[ReplayBatch], json: Json) -> Result<()> {
    Ok(print(&mut std::io::stdout(), batches, &COLUMNS, json)?)
}

/// Lists, shows or cancels.
pub async fn run(args: Args) -> Result<ExitCode> {
    let (database, json) = match &args.verb {
        None => (&args.database, args.json),
        Some(Verb::Show(one) | Verb::Cancel(one)) => (&one.database, one.json),
    };
    let batches = Store::with(database, Schema::Own, async |conn| match &args.verb {
        None => Ok(replay_batch::list(conn, None, args.limit).await?),
        Some(Verb::Show(one)) => Ok(vec![replay_batch::get(conn, one.id).await?.with_context(|| unknown(one.id))?]),
        Some(Verb::Cancel(one)) => Ok(vec![cancel(conn, one.id).await?]),
    })
    .await?;
    show(&batches, json)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(id: ReplayBatchId) -> String {
    format!("there is no batch {id}; `plumbline dlq replays` lists those of the last month")
}

async fn cancel(conn: &mut PgConnection, id: ReplayBatchId) -> Result<ReplayBatch> {
    let actor = by_command_line();
    let mut tx = conn.begin().await?;
    let cancelling =
        dead_letters::cancel_replays(&mut tx, By { actor: &actor, origin: &Origin::default() }, id).await?;
    tx.commit().await?;
    match cancelling {
        Cancelling::Cancelled(batch) => Ok(*batch),
        Cancelling::Over(batch) => bail!("batch {id} is over: it is {}", batch.state),
        Cancelling::Absent => bail!("{}", unknown(id)),
    }
}
