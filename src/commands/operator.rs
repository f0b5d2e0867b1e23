//! `plumbline operator create`.

use super::by_command_line;
use crate::boot::{Schema, Store};
use crate::config::Database;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::audit::{self, Action, Entry, Origin, Target};
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::ids::OperatorKeyId;
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::process::ExitCode;

/// Create platform operators' keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Create(Create),
}

/// Create an operator's key, for /api/v2/admin and the console, and show it, this once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline operator create --name on-call --json")]
struct Create {
    /// Whose or what for.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    json: Json,
}

/// A new operator's key.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: OperatorKeyId,
    name: String,
    /// The key itself.
    pub raw_key: String,
}

/// Creates a key.
pub async fn run(args: Args) -> Result<ExitCode> {
    let Verb::Create(new) = args.action;
    let key = Store::with(&new.database, Schema::Own, async |conn| create(conn, &new.name).await).await?;
    print(&mut std::io::stdout(), &[key], &["id", "name", "raw_key"], new.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Creates an operator's key, with its row of the platform's audit chain.
pub async fn create(conn: &mut PgConnection, name: &str) -> Result<Shown> {
    let raw_key = api_key::generate(KeyKind::Operator);
    let mut tx = conn.begin().await?;
    let key = db::operator_key::insert(&mut tx, name, &raw_key).await?;
    let entry = Entry {
        org: None,
        actor: &by_command_line(),
        origin: &Origin::default(),
        action: Action::OperatorCreated,
        target: Target { kind: "operator_key", id: key.id.to_string() },
        details: json!({"name": key.name, "key_prefix": key.key_prefix}),
    };
    audit::append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(Shown { id: key.id, name: key.name, raw_key })
}
