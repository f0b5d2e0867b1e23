//! `plumbline limit list|set|remove`.

use super::{by_command_line, org};
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::{Result, bail};
use jobs::audit::{self, Action, By, Origin, Target};
use jobs::queue::limit::{self, Limit, Per};
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;
use uuid::Uuid;

/// Limit how many jobs run at once, in all worker processes together.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(List),
    Set(Set),
    Remove(Remove),
}

/// List the limits.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline limit list --json")]
struct List {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Set a limit; it holds for what starts from now on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  plumbline limit set 20 --kind scan                    # in all, of all tenants\n  plumbline limit set 3 --kind scan --per tenant       # for each tenant\n  plumbline limit set 10 --kind scan --per tenant --org acme"
)]
struct Set {
    /// So many at once; 0 stops them.
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    max_running: i32,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// Remove a limit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline limit remove --kind scan --per tenant")]
struct Remove {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The kind of job; without it, the jobs of all kinds together.
    #[arg(long, default_value = "")]
    kind: String,
    /// What is counted.
    #[arg(long, default_value = "fleet")]
    per: Counted,
    /// The organisation whose own limit it is, with `--per tenant`; without it, that of every one that has none of its own.
    #[arg(long)]
    org: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Counted {
    /// All running jobs.
    Fleet,
    /// Each organisation's.
    Tenant,
    /// Each concurrency group's.
    Group,
}

impl From<Counted> for Per {
    fn from(counted: Counted) -> Self {
        match counted {
            Counted::Fleet => Self::Fleet,
            Counted::Tenant => Self::Tenant,
            Counted::Group => Self::Group,
        }
    }
}

/// A limit as the command line shows it.
#[derive(Debug, Serialize)]
struct Shown {
    kind: Option<String>,
    per: Per,
    org_id: Option<Uuid>,
    max_running: i32,
}

impl From<Limit> for Shown {
    fn from(limit: Limit) -> Self {
        Self {
            kind: Some(limit.kind).filter(|kind| !kind.is_empty()),
            per: limit.per,
            org_id: Some(limit.tenant).filter(|tenant| !tenant.is_nil()),
            max_running: limit.max_running,
        }
    }
}

/// More limits than anybody sets.
const MOST: i64 = 1_000;

const COLUMNS: [&str; 4] = ["kind", "per", "org_id", "max_running"];

/// Lists, sets or removes.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Verb::List(args) => {
            let limits =
                Store::with(&args.database, Schema::Own, async |conn| Ok(limit::list(conn, MOST).await?)).await?;
            let shown: Vec<Shown> = limits.into_iter().map(Shown::from).collect();
            print(&mut std::io::stdout(), &shown, &COLUMNS, args.json)?;
        }
        Verb::Set(args) => {
            let new = async |conn: &mut PgConnection| set(conn, &args.which, args.max_running).await;
            let limit = Store::with(&args.database, Schema::Own, new).await?;
            print(&mut std::io::stdout(), &[Shown::from(limit)], &COLUMNS, args.json)?;
        }
        Verb::Remove(args) => {
            Store::with(&args.database, Schema::Own, async |conn| remove(conn, &args.which).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn tenant(conn: &mut PgConnection, which: &Which) -> Result<Uuid> {
    match (&which.org, which.per) {
        (None, _) => Ok(Uuid::nil()),
        (Some(name), Counted::Tenant) => Ok(org::resolve(conn, name).await?.uuid()),
        (Some(_), _) => bail!("--org goes with --per tenant: only tenants have limits of their own"),
    }
}

async fn set(conn: &mut PgConnection, which: &Which, max_running: i32) -> Result<Limit> {
    let tenant = tenant(conn, which).await?;
    let limit = Limit { kind: which.kind.clone(), per: which.per.into(), tenant, max_running };
    let mut tx = conn.begin().await?;
    limit::set(&mut tx, &limit, &by_command_line().display).await?;
    record(&mut tx, Action::LimitSet, &limit, json!({"max_running": max_running})).await?;
    tx.commit().await?;
    Ok(limit)
}

async fn remove(conn: &mut PgConnection, which: &Which) -> Result<()> {
    let tenant = tenant(conn, which).await?;
    let limit = Limit { kind: which.kind.clone(), per: which.per.into(), tenant, max_running: 0 };
    let mut tx = conn.begin().await?;
    if !limit::remove(&mut tx, &limit.kind, limit.per, tenant).await? {
        bail!("there is no such limit; `plumbline limit list` shows those there are");
    }
    record(&mut tx, Action::LimitRemoved, &limit, json!({})).await?;
    Ok(tx.commit().await?)
}

async fn record(conn: &mut PgConnection, action: Action, limit: &Limit, details: serde_json::Value) -> Result<()> {
    let actor = by_command_line();
    let by = By { actor: &actor, origin: &Origin::default() };
    let id = format!("{}/{}/{}", limit.per.as_str(), limit.kind, limit.tenant);
    audit::append(conn, &by.entry(None, action, Target { kind: "concurrency_limit", id }, details)).await?;
    Ok(())
}
