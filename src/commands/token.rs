//! `plumbline token`.

use super::{by_command_line, org};
use crate::boot::{Schema, Store};
use crate::config::{Database, MissingKey, Oidc, Secrets};
use crate::output::{Json, print};
use anyhow::{Result, bail};
use api::auth::builtin::{Request, is_email, mint};
use jobs::domain::Role;
use serde::Serialize;
use std::process::ExitCode;

/// Sign a user token with the built-in issuer, for development; refused when an OIDC issuer is configured.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline token --org default --email me@example.com --role owner")]
pub struct Args {
    /// The organisation's id or name.
    #[arg(long)]
    org: String,
    /// The person's email; the person is created at the first token.
    #[arg(long, value_parser = email)]
    email: String,
    /// The role that the person gets in the organisation.
    #[arg(long)]
    role: Role,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    oidc: Oidc,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Serialize)]
struct Shown {
    token: String,
}

fn email(text: &str) -> Result<String, &'static str> {
    if is_email(text) { Ok(text.to_owned()) } else { Err("this is not an email address") }
}

/// Signs and prints a token; without `--json` nothing but the token, for use in a shell.
pub async fn run(args: Args) -> Result<ExitCode> {
    if let Some(issuer) = args.oidc.issuer() {
        bail!("people sign in at {issuer} here, so no tokens are made; get one from there");
    }
    let keyring = args.secrets.keyring(&args.database.data_dir, MissingKey::Refuse)?;
    let token = Store::with(&args.database, Schema::Own, async |conn| {
        let org = org::resolve(conn, &args.org).await?;
        let request = Request { org, email: &args.email, role: args.role, by: &by_command_line() };
        Ok(mint(conn, &keyring, request).await?)
    })
    .await?;
    if args.json.json {
        print(&mut std::io::stdout(), &[Shown { token }], &["token"], args.json)?;
    } else {
        println!("{token}");
    }
    Ok(ExitCode::SUCCESS)
}
