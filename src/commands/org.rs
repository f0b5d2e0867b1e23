//! `plumbline org create|list`.

use super::by_command_line;
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::{Context as _, Result, bail};
use jobs::audit::{self, Action, Entry, Origin, Target};
use jobs::db;
use jobs::domain::Plan;
use jobs::ids::OrgId;
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;

/// Create and list organisations.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Create(Create),
    List(List),
}

/// Create an organisation.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline org create acme --plan team --json")]
struct Create {
    /// Its name: 1 to 63 lower-case letters, digits and hyphens.
    #[arg(value_parser = slug)]
    name: String,
    /// Its plan: free, team or enterprise.
    #[arg(long, default_value = "free")]
    plan: Plan,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// List the organisations.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline org list --json")]
struct List {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// An organisation as the command line shows it.
#[derive(Debug, Serialize)]
struct Shown {
    id: OrgId,
    slug: String,
    plan: Plan,
}

const COLUMNS: [&str; 3] = ["id", "slug", "plan"];

impl From<db::org::Org> for Shown {
    fn from(org: db::org::Org) -> Self {
        Self { id: org.id, slug: org.slug, plan: org.plan }
    }
}

fn slug(text: &str) -> Result<String, &'static str> {
    if db::org::is_slug(text) {
        Ok(text.to_owned())
    } else {
        Err("1 to 63 lower-case letters, digits and hyphens inside")
    }
}

/// Creates or lists.
pub async fn run(args: Args) -> Result<ExitCode> {
    let (database, json) = match &args.action {
        Verb::Create(create) => (&create.database, create.json),
        Verb::List(list) => (&list.database, list.json),
    };
    let orgs = Store::with(database, Schema::Own, async |conn| match &args.action {
        Verb::Create(new) => Ok(vec![create(conn, &new.name, new.plan).await?.into()]),
        Verb::List(_) => Ok(db::org::list(conn).await?.into_iter().map(Shown::from).collect()),
    })
    .await?;
    print(&mut std::io::stdout(), &orgs, &COLUMNS, json)?;
    Ok(ExitCode::SUCCESS)
}

/// Creates an organisation, with its row of the audit chain.
pub async fn create(conn: &mut PgConnection, name: &str, plan: Plan) -> Result<db::org::Org> {
    let mut tx = conn.begin().await?;
    let org = match db::org::insert(&mut tx, &db::org::NewOrg { slug: name, display_name: name, plan }).await {
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("org_slug_key") => {
            bail!("there is an organisation {name} already")
        }
        result => result?,
    };
    let entry = Entry {
        org: Some(org.id),
        actor: &by_command_line(),
        origin: &Origin::default(),
        action: Action::OrgCreated,
        target: Target { kind: "org", id: org.id.to_string() },
        details: json!({"slug": org.slug, "display_name": org.display_name, "plan": org.plan}),
    };
    audit::append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(org)
}

/// The organisation that somebody means: by id or by name.
pub async fn resolve(conn: &mut PgConnection, text: &str) -> Result<OrgId> {
    let found = match text.parse::<OrgId>() {
        Ok(id) => db::org::find(conn, id).await?,
        Err(_) => db::org::list(conn).await?.into_iter().find(|org| org.slug == text),
    };
    Ok(found.with_context(|| format!("there is no organisation {text}; `plumbline org list` shows them"))?.id)
}
