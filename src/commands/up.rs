//! `plumbline up`: every role in one process, from nothing.

use super::{operator, org};
use crate::boot::{Schema, Store, create_data_dir};
use crate::config::{Concurrency, Maintenance, MissingKey, Work};
use crate::roles::{ApiSettings, Ground, Schedule, Settings, schedule, serve_api, work};
use crate::shutdown::Shutdown;
use anyhow::{Context as _, Result};
use jobs::db;
use jobs::domain::Plan;
use sqlx::PgConnection;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Connections to the database, for all roles together.
const CONNECTIONS: u32 = 60;

/// The organisation that a new installation begins with.
const FIRST_ORG: &str = "default";

/// Run everything in one process, on an embedded Postgres unless `DATABASE_URL` is set.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints one line on stdout when it serves: `ready http://127.0.0.1:8080`.\n\nExample:\n  plumbline up --data-dir /var/lib/plumbline --listen 127.0.0.1:8080"
)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    api: ApiSettings,
    #[command(flatten)]
    concurrency: Concurrency,
    #[command(flatten)]
    maintenance: Maintenance,
}

/// Runs until told to stop.
pub async fn run(args: Args) -> Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let data_dir = &args.settings.database.data_dir;
    create_data_dir(data_dir)?;
    let store = Store::open(&args.settings.database, Schema::Apply, CONNECTIONS).await?;
    store
        .serve(&shutdown, async |store| {
            let mut conn = store.pool.acquire().await?;
            let is_new = db::org::list(&mut conn).await?.is_empty();
            let missing = if is_new { MissingKey::Create } else { MissingKey::Refuse };
            let ground = Ground::lay(&args.settings, store, missing, &shutdown).await?;
            first_start(&mut conn, data_dir).await?;
            drop(conn);
            work(&Work::everything(args.concurrency), &ground, &shutdown)?;
            let url = serve_api(&args.api, &ground, &shutdown).await?;
            // After the API, with which metrics begin to be collected: the first run shall be counted, too.
            schedule(Schedule::on(&ground, args.maintenance), &shutdown)?;
            println!("ready {url}");
            Ok(())
        })
        .await
}

/// Gives a new installation its organisation and its operator.
async fn first_start(conn: &mut PgConnection, data_dir: &Path) -> Result<()> {
    if db::org::list(conn).await?.is_empty() {
        // Who runs plumbline alone shall not meet the limits of plans.
        let org = org::create(conn, FIRST_ORG, Plan::Enterprise).await?;
        tracing::info!(id = %org.id, slug = org.slug, "organisation created");
    }
    if db::operator_key::count(conn).await? == 0 {
        let path = data_dir.join("operator.key");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let key = operator::create(conn, "first start").await?;
        writeln!(file, "{}", key.raw_key).with_context(|| format!("cannot write {}", path.display()))?;
        tracing::info!(path = %path.display(), "operator created; the key is in this file");
    }
    Ok(())
}
