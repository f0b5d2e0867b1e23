//! `plumbline queue list|pause|resume|workers`.

use super::by_command_line;
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::audit::{By, Origin};
use jobs::queue::{queues, workers};
use jobs::steering::{self, Stand, Steering};
use serde::Serialize;
use std::process::ExitCode;

/// See, pause and resume queues.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(List),
    Pause(Pause),
    Resume(Resume),
    Workers(Workers),
}

/// List the queues: what is in them, who serves them, and how it goes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline queue list\n\n\
    READY, SCHEDULED, RUNNING, DEAD and OLDEST READY S are as of MEASURED AT; --json tells more.")]
struct List {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Take nothing more from a queue until it is resumed; what runs, runs on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline queue pause scans --note 'the cloud throttles us'")]
struct Pause {
    #[command(flatten)]
    steer: Steer,
}

/// Let a paused queue run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline queue resume scans")]
struct Resume {
    #[command(flatten)]
    steer: Steer,
}

#[derive(Debug, clap::Args)]
struct Steer {
    /// The queue's name.
    queue: String,
    /// Why, for the audit log.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// List the worker processes, by name.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline queue workers --json")]
struct Workers {
    /// Most rows.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=1_000))]
    limit: i64,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// A queue with what a table can show of it.
#[derive(Debug, Serialize)]
struct ShownQueue {
    #[serde(flatten)]
    queue: queues::Queue,
    paused: bool,
    done_per_minute: String,
    failed_per_minute: String,
}

const QUEUE: [&str; 11] = [
    "name",
    "paused",
    "workers",
    "ready",
    "scheduled",
    "running",
    "dead",
    "oldest_ready_s",
    "done_per_minute",
    "failed_per_minute",
    "measured_at",
];

impl From<queues::Queue> for ShownQueue {
    fn from(queue: queues::Queue) -> Self {
        Self {
            paused: queue.paused_at.is_some(),
            done_per_minute: format!("{:.1}", queue.last_5_minutes.done_per_minute),
            failed_per_minute: format!("{:.1}", queue.last_5_minutes.failed_per_minute),
            queue,
        }
    }
}

/// How a queue stands after a change.
#[derive(Debug, Serialize)]
struct Steered {
    name: String,
    paused: bool,
    changed: bool,
}

/// Lists, pauses or resumes.
pub async fn run(args: Args) -> Result<ExitCode> {
    let out = &mut std::io::stdout();
    match args.action {
        Verb::List(List { database, json }) => {
            let queues = Store::with(&database, Schema::Own, async |conn| Ok(queues::list(conn).await?)).await?;
            if json.json {
                print(out, &queues, &[], json)?;
            } else {
                print(out, &queues.into_iter().map(ShownQueue::from).collect::<Vec<_>>(), &QUEUE, json)?;
            }
        }
        Verb::Pause(Pause { steer }) => steer_to(Stand::Paused, &steer).await?,
        Verb::Resume(Resume { steer }) => steer_to(Stand::Running, &steer).await?,
        Verb::Workers(Workers { limit, database, json }) => {
            let rows =
                Store::with(&database, Schema::Own, async |conn| Ok(workers::list(conn, None, limit).await?)).await?;
            print(out, &rows, &["name", "alive", "beat_age_s", "queues", "started_at", "id"], json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn steer_to(stand: Stand, steer: &Steer) -> Result<()> {
    let actor = by_command_line();
    let by = By { actor: &actor, origin: &Origin::default() };
    let steering = Steering { queue: &steer.queue, stand, note: steer.note.as_deref() };
    let changed =
        Store::with(&steer.database, Schema::Own, async |conn| Ok(steering::steer(conn, by, &steering).await?)).await?;
    let steered = Steered { name: steer.queue.clone(), paused: stand == Stand::Paused, changed };
    print(&mut std::io::stdout(), &[steered], &["name", "paused", "changed"], steer.json)?;
    Ok(())
}
