//! `plumbline doctor`: what is wrong with this installation, and how to mend it. It changes nothing.

use crate::boot::{Schema, Store};
use crate::config::{Database, MissingKey, Secrets};
use crate::output::{Json, print};
use crate::postgres::{OLDEST_MAJOR, find_all};
use anyhow::Result;
use jobs::db::cloud_account;
use jobs::schema;
use serde::Serialize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use workers::cloud::aws;

/// Say what is wrong with this installation, and how to mend it; exit status 1 if anything is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline doctor")]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    json: Json,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Failed,
}

impl Finding {
    fn new(check: &'static str, result: Result<String, String>) -> Self {
        match result {
            Ok(detail) => Self { check, status: Status::Ok, detail },
            Err(detail) => Self { check, status: Status::Failed, detail },
        }
    }
}

/// Runs every check and prints what they found.
pub async fn run(args: Args) -> Result<ExitCode> {
    let data_dir = &args.database.data_dir;
    let mut findings = vec![Finding::new("data folder", data_folder(data_dir))];
    if args.database.url().is_none() {
        findings.push(Finding::new("postgres", installed()));
    }
    let begun = args.database.url().is_some() || data_dir.join("postgres").is_dir();
    if begun {
        findings.push(Finding::new("master key", master_key(&args)));
        findings.extend(database(&args.database).await);
    } else {
        findings.push(Finding::new("database", Ok("none yet; `plumbline up` makes one".into())));
    }
    print(&mut std::io::stdout(), &findings, &["check", "status", "detail"], args.json)?;
    let healthy = findings.iter().all(|finding| finding.status == Status::Ok);
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn data_folder(path: &Path) -> Result<String, String> {
    let shown = path.display();
    match path.metadata() {
        Ok(meta) if !meta.is_dir() => Err(format!("{shown} is not a folder; name another one with --data-dir")),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            Err(format!("{shown} can be entered by others; run `chmod 700 {shown}`"))
        }
        Ok(_) => Ok(shown.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(format!("{shown} does not exist yet")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn installed() -> Result<String, String> {
    let found = find_all().map_err(|e| e.to_string())?;
    let newest = found.first().ok_or_else(|| crate::postgres::Error::NotInstalled.to_string())?;
    Ok(format!("{} in {}", newest.major, newest.dir.display()))
}

fn master_key(args: &Args) -> Result<String, String> {
    let data_dir = &args.database.data_dir;
    args.secrets.keyring(data_dir, MissingKey::Refuse).map_err(|e| format!("{e:#}"))?;
    Ok(args.secrets.source(data_dir).unwrap_or_default())
}

/// Reachable, new enough, migrated: each makes sense only after the one before.
async fn database(config: &Database) -> Vec<Finding> {
    let store = match Store::open(config, Schema::Ignore, 2).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::new("database", Err(format!("{error:#}")))],
    };
    let mut findings = Vec::new();
    match store.pool.acquire().await {
        Err(error) => findings.push(Finding::new("database", Err(format!("cannot be reached: {error}")))),
        Ok(mut conn) => {
            findings.push(Finding::new("database", version(conn.server_version_num())));
            let migrations = Finding::new("migrations", pending(&mut conn).await);
            let is_migrated = migrations.status == Status::Ok;
            findings.push(migrations);
            if is_migrated {
                findings.extend(aws_identity(&mut conn).await);
            }
        }
    }
    if let Err(error) = store.close().await {
        findings.push(Finding::new("database", Err(format!("{error:#}"))));
    }
    findings
}

/// Judges `server_version_num`: 150018 is 15.18.
fn version(number: Option<u32>) -> Result<String, String> {
    let Some(number) = number else {
        return Ok("reachable; it does not tell its version".into());
    };
    let (major, minor) = (number / 10_000, number % 10_000);
    if major < OLDEST_MAJOR {
        return Err(format!("it is Postgres {major}.{minor}; {OLDEST_MAJOR} or newer is needed"));
    }
    Ok(format!("reachable, Postgres {major}.{minor}"))
}

async fn pending(conn: &mut sqlx::PgConnection) -> Result<String, String> {
    match schema::pending(conn).await {
        Ok(pending) if pending.is_empty() => Ok("all applied".into()),
        Ok(pending) => Err(format!("{} pending; run `plumbline migrate`", pending.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// Accounts whose role is assumed need an identity that assumes it; without such accounts nobody needs one.
async fn aws_identity(conn: &mut sqlx::PgConnection) -> Option<Finding> {
    let result = match cloud_account::count_roles(conn).await {
        Ok(0) => return None,
        Ok(accounts) => match aws::check_own_identity(&aws::Options::from_env()).await {
            Ok(()) => Ok(format!("found here, for {accounts} accounts whose role is assumed")),
            Err(error) => Err(format!("needed by {accounts} accounts, and not found here: {error}")),
        },
        Err(error) => Err(error.to_string()),
    };
    Some(Finding::new("aws identity", result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused() {
        assert_eq!(version(Some(150_018)), Ok("reachable, Postgres 15.18".into()));
        assert!(version(Some(130_009)).is_err_and(|e| e.contains("14 or newer")));
    }

    #[test]
    fn a_data_folder_open_to_others_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(data_folder(folder.path()).is_err_and(|e| e.contains("chmod 700")));
        assert!(data_folder(&folder.path().join("new")).is_ok());
    }
}
