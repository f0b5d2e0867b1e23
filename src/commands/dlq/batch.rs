//! Replaying all that match: looking first, beginning, watching.

use super::list::COLUMNS;
use super::replays;
use crate::commands::by_command_line;
use crate::output::{Json, print};
use anyhow::{Context as _, Result, bail};
use jobs::audit::Origin;
use jobs::dead_letters;
use jobs::domain::BatchState;
use jobs::ids::ReplayBatchId;
use jobs::queue::dead::{self, Filter};
use jobs::queue::replay_batch::{self, NewBatch, ReplayBatch};
use sqlx::{Connection as _, PgConnection};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// Between two looks at a batch.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What only goes with filters.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Replay at most so many jobs a second, 0.1 to 1000; without it, as fast as it goes.
    #[arg(long, value_parser = rate, value_name = "JOBS_PER_SECOND", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Say how many match and show the newest ten; replay nothing.
    #[arg(long, conflicts_with_all = ["wait", "rate", "note"])]
    dry_run: bool,
    /// Watch until it is over.
    #[arg(long)]
    wait: bool,
    /// Why, for the audit log: 1 to 1000 characters.
    #[arg(long, value_parser = reason)]
    note: Option<String>,
}

/// What can stand in the audit log as a reason.
pub fn reason(text: &str) -> Result<String, &'static str> {
    dead_letters::is_reason(text).then(|| text.to_owned()).ok_or("1 to 1000 characters are expected")
}

fn rate(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|rate| replay_batch::RATES.contains(rate)).ok_or("0.1 to 1000 jobs a second are possible")
}

/// Previews, or begins and perhaps watches.
pub async fn run(conn: &mut PgConnection, filter: &Filter, options: &Options, json: Json) -> Result<ExitCode> {
    if options.dry_run {
        return preview(conn, filter, json).await;
    }
    let mut tx = conn.begin().await?;
    let new = NewBatch {
        filter,
        rate: options.rate,
        note: options.note.as_deref(),
        actor: &by_command_line(),
        origin: &Origin::default(),
    };
    let mut batch = dead_letters::replay_many(&mut tx, &new).await?;
    tx.commit().await?;
    if options.wait {
        batch = watch(conn, batch.id).await?;
    }
    let is_cancelled = batch.state == BatchState::Cancelled;
    replays::show(&[batch], json)?;
    Ok(if is_cancelled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn preview(conn: &mut PgConnection, filter: &Filter, json: Json) -> Result<ExitCode> {
    let preview = dead::preview(conn, filter).await?;
    if preview.count == 0 {
        bail!("no dead job matches the filter");
    }
    if json.json {
        print(&mut std::io::stdout(), &[preview], &[], json)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&mut std::io::stdout(), &preview.newest, &COLUMNS, json)?;
    let more = if preview.or_more { " or more" } else { "" };
    eprintln!("{}{more} match; nothing was replayed", preview.count);
    Ok(ExitCode::SUCCESS)
}

/// Looks until the batch is over. On a terminal the line renews itself, elsewhere there is one for each change.
async fn watch(conn: &mut PgConnection, id: ReplayBatchId) -> Result<ReplayBatch> {
    let mut err = std::io::stderr();
    let on_terminal = err.is_terminal();
    let mut last = String::new();
    loop {
        let batch = replay_batch::get(conn, id).await?.context("the batch is gone")?;
        let line =
            format!("{}: {} of {} replayed, {} skipped", batch.state, batch.replayed, batch.total, batch.skipped());
        if on_terminal {
            write!(err, "\r\x1b[K{line}")?;
        } else if line != last {
            writeln!(err, "{line}")?;
        }
        if batch.finished_at.is_some() {
            if on_terminal {
                writeln!(err)?;
            }
            return Ok(batch);
        }
        last = line;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
