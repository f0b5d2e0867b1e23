//! `plumbline key create`.

use super::{by_command_line, org};
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::audit::{self, Action, Entry, Origin, Target};
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{Environment, Role, Scope};
use jobs::ids::ApiKeyId;
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;

/// Create API keys for an organisation.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Create(Create),
}

/// Create a key and show it, this once; the plan's number of keys does not bind whoever runs this command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline key create --org default --name ci --scope read --json")]
struct Create {
    /// The organisation's id or name.
    #[arg(long)]
    org: String,
    /// What it is for, 3 to 128 characters.
    #[arg(long, value_parser = name)]
    name: String,
    /// live or test.
    #[arg(long, default_value = "live")]
    env: Environment,
    /// read or write; both unless given; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// The most it may do: owner, admin, member or viewer.
    #[arg(long, default_value = "member")]
    role: Role,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// A new key as the command line shows it.
#[derive(Debug, Serialize)]
struct Shown {
    id: ApiKeyId,
    raw_key: String,
    key_prefix: String,
    scopes: Vec<String>,
}

fn name(text: &str) -> Result<String, &'static str> {
    if (3..=128).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err("it must have 3 to 128 characters")
    }
}

/// Creates a key.
pub async fn run(args: Args) -> Result<ExitCode> {
    let Verb::Create(new) = args.action;
    let key = Store::with(&new.database, Schema::Own, async |conn| create(conn, &new).await).await?;
    print(&mut std::io::stdout(), &[key], &["id", "raw_key", "key_prefix", "scopes"], new.json)?;
    Ok(ExitCode::SUCCESS)
}

async fn create(conn: &mut PgConnection, new: &Create) -> Result<Shown> {
    let org_id = org::resolve(conn, &new.org).await?;
    let both = [Scope::Read, Scope::Write];
    let scopes: Vec<Scope> =
        both.into_iter().filter(|scope| new.scopes.is_empty() || new.scopes.contains(scope)).collect();
    let raw_key = api_key::generate(KeyKind::Org(new.env));
    let row = db::api_key::NewApiKey {
        org_id,
        name: &new.name,
        description: None,
        environment: new.env,
        role: new.role,
        scopes: &scopes,
        raw_key: &raw_key,
        created_by: None,
        rotated_from: None,
        expires_at: None,
    };
    let mut tx = conn.begin().await?;
    let key = db::api_key::insert(&mut tx, &row).await?;
    let entry = Entry {
        org: Some(org_id),
        actor: &by_command_line(),
        origin: &Origin::default(),
        action: Action::ApiKeyCreated,
        target: Target { kind: "api_key", id: key.id.to_string() },
        details: json!({"name": key.name, "environment": key.environment, "role": key.role, "scopes": key.scopes}),
    };
    audit::append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(Shown { id: key.id, raw_key, key_prefix: key.key_prefix, scopes: key.scopes })
}
