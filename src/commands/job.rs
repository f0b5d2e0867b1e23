//! `plumbline job list|show|cancel`.

use super::{by_command_line, org};
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::{Context as _, Result, bail};
use jobs::audit::{By, Origin};
use jobs::ids::JobId;
use jobs::payloads::{Audience, shown};
use jobs::queue::Waited;
use jobs::queue::live::{self, Filter, LiveJob, Slice, State};
use jobs::queue::sight::{Failed, Sight, look};
use jobs::steering::{self, Cancelled};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::process::ExitCode;

/// See and cancel jobs that wait or run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(List),
    Show(Show),
    Cancel(Cancel),
}

/// List jobs that wait or run, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline job list --queue scans --state running --limit 20")]
struct List {
    /// Only jobs of this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Only jobs of this organisation: its id or its name.
    #[arg(long)]
    org: Option<String>,
    /// Only jobs that are ready, scheduled or running.
    #[arg(long)]
    state: Option<State>,
    /// Most rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only jobs enqueued before this one: the last of the list before.
    #[arg(long, value_name = "ID")]
    before: Option<JobId>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Show a job: how it stands, its payload, and what failed so far.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline job show 01890a5d-ac96-774b-bcce-b302099a8057 --json")]
struct Show {
    /// The job's id.
    id: JobId,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Cancel a job: at once while it waits; a running one is told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline job cancel 01890a5d-ac96-774b-bcce-b302099a8057")]
struct Cancel {
    /// The job's id.
    id: JobId,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

const COLUMNS: [&str; 9] =
    ["id", "queue", "kind", "org_id", "state", "attempt", "max_attempts", "run_at", "started_at"];

/// Lists, shows or cancels.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Verb::List(wanted) => {
            let jobs = Store::with(&wanted.database, Schema::Own, async |conn| list(conn, &wanted).await).await?;
            print(&mut std::io::stdout(), &jobs, &COLUMNS, wanted.json)?;
        }
        Verb::Show(Show { id, database, json }) => {
            let shown = Store::with(&database, Schema::Own, async |conn| show(conn, id).await).await?;
            print_shown(&shown, json)?;
        }
        Verb::Cancel(Cancel { id, database, json }) => {
            let by = by_command_line();
            let by = By { actor: &by, origin: &Origin::default() };
            let done =
                Store::with(&database, Schema::Own, async |conn| Ok(steering::cancel(conn, id, by).await?)).await?;
            let state = match done {
                Cancelled::Now => "cancelled",
                Cancelled::Requested => "cancel_requested",
                Cancelled::Dead => bail!("job {id} is dead: there is nothing to cancel"),
                Cancelled::Ended => bail!("job {id} has ended: there is nothing to cancel"),
                Cancelled::Unknown => bail!("{}", unknown(id)),
            };
            print(&mut std::io::stdout(), &[json!({"id": id, "state": state})], &["id", "state"], json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(id: JobId) -> String {
    format!("there is no job {id}: it never was, or it has ended and its outcome is not kept")
}

async fn list(conn: &mut PgConnection, wanted: &List) -> Result<Vec<LiveJob>> {
    let org = match &wanted.org {
        Some(text) => Some(org::resolve(conn, text).await?),
        None => None,
    };
    let filter = Filter { queue: wanted.queue.as_deref(), kind: wanted.kind.as_deref(), state: wanted.state };
    let filter = filter.checked(conn).await?;
    if let Some(org) = org {
        let slice = Slice { before: wanted.before, limit: wanted.limit };
        return Ok(live::list_of(conn, org.uuid(), filter, slice).await?.jobs);
    }
    let mut jobs = Vec::new();
    let mut slice = Slice { before: wanted.before, limit: wanted.limit };
    loop {
        let part = live::list_all(conn, filter, slice).await?;
        slice.limit -= i64::try_from(part.jobs.len()).context("too many rows")?;
        jobs.extend(part.jobs);
        if part.next.is_none() || slice.limit <= 0 {
            return Ok(jobs);
        }
        slice.before = part.next;
    }
}

/// All there is to know of a job.
#[derive(Debug, Serialize)]
struct Shown {
    id: JobId,
    state: &'static str,
    job: Option<LiveJob>,
    payload: Option<Value>,
    attempts: Vec<Failed>,
    error_class: Option<String>,
    error: Option<String>,
}

async fn show(conn: &mut PgConnection, id: JobId) -> Result<Shown> {
    let bare =
        |state| Shown { id, state, job: None, payload: None, attempts: Vec::new(), error_class: None, error: None };
    Ok(match look(conn, id).await? {
        Sight::Lives { job, payload, failures } => Shown {
            payload: shown(&job.kind, &payload, Audience::Operators).into_value(),
            attempts: failures,
            job: Some(job.clone()),
            ..bare(job.state.as_str())
        },
        Sight::Dead(dead) => Shown { error_class: Some(dead.error_class), error: Some(dead.error), ..bare("dead") },
        Sight::Ended(standing) => match standing.outcome {
            Waited::Failed { error_class, error, .. } => {
                Shown { error_class: Some(error_class), error: Some(error), ..bare("failed") }
            }
            Waited::Done(_) => bare("done"),
            Waited::Cancelled => bare("cancelled"),
            Waited::Pending => bare("ready"),
        },
        Sight::Unknown => bail!("{}", unknown(id)),
    })
}

/// One record is easier to read as lines of name and value.
fn print_shown(shown: &Shown, json: Json) -> Result<()> {
    let out = &mut std::io::stdout();
    if json.json {
        return Ok(print(out, &[shown], &[], json)?);
    }
    let value = serde_json::to_value(shown)?;
    let mut facts =
        vec![json!({"name": "id", "value": value["id"]}), json!({"name": "state", "value": value["state"]})];
    let fields = [value["job"].as_object(), value.as_object()];
    for (name, value) in fields.into_iter().flatten().flatten() {
        if !["id", "state", "job", "attempts"].contains(&name.as_str()) && !value.is_null() {
            let value = if value.is_object() { Value::String(value.to_string()) } else { value.clone() };
            facts.push(json!({"name": name, "value": value}));
        }
    }
    for failed in &shown.attempts {
        let value = format!("{} {}: {}", failed.failed_at, failed.error_class, failed.error);
        facts.push(json!({"name": format!("attempt {}", failed.attempt), "value": value}));
    }
    print(out, &facts, &["name", "value"], json)?;
    Ok(())
}
