//! `plumbline dlq discard`.

use super::batch::reason;
use crate::boot::{Schema, Store};
use crate::commands::by_command_line;
use crate::config::Database;
use anyhow::{Result, bail};
use jobs::audit::{By, Origin};
use jobs::dead_letters;
use jobs::ids::JobId;
use jobs::queue::dead::Discard;
use sqlx::Connection as _;
use std::process::ExitCode;

/// Delete a dead job for good.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plumbline dlq discard 01890a5d-ac96-774b-bcce-b302099a8057 --reason 'the account is closed'"
)]
pub struct Args {
    /// The dead job's id.
    id: JobId,
    /// Why, for the audit log: 1 to 1000 characters.
    #[arg(long, value_parser = reason)]
    reason: String,
    #[command(flatten)]
    database: Database,
}

/// Discards.
pub async fn run(args: Args) -> Result<ExitCode> {
    let actor = by_command_line();
    let by = By { actor: &actor, origin: &Origin::default() };
    let discard = Store::with(&args.database, Schema::Own, async |conn| {
        let mut tx = conn.begin().await?;
        let discard = dead_letters::discard(&mut tx, by, args.id, &args.reason).await?;
        tx.commit().await?;
        Ok(discard)
    })
    .await?;
    match discard {
        Discard::Discarded(_) => Ok(ExitCode::SUCCESS),
        Discard::Running(replay) => bail!("job {} is being replayed as {replay}: cancel that one first", args.id),
        Discard::Alive => bail!("job {} is not dead: it waits or runs", args.id),
        Discard::NotDead => bail!("no job {} is dead", args.id),
    }
}
