//! Opening what every role needs: the data folder, the database, its schema.

use crate::config::Database;
use crate::postgres::{Durability, Embedded, Options};
use crate::shutdown::Shutdown;
use anyhow::{Context as _, Result, bail};
use jobs::db::pool;
use jobs::schema;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a query waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the embedded server is looked after.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// An open database, and the embedded server behind it if it is ours.
#[derive(Debug)]
pub struct Store {
    /// Connections.
    pub pool: PgPool,
    /// The database's URL, with its password.
    pub url: String,
    embedded: Option<Embedded>,
}

/// What to do about migrations that are not applied yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Refuse, and name the command: a role must not change a database that others use.
    Require,
    /// Apply them if the database is the embedded one, which is nobody else's; refuse otherwise.
    Own,
    /// Apply them: `plumbline up` is alone, or asked to take charge.
    Apply,
    /// Leave them alone; the command deals with them itself.
    Ignore,
}

impl Store {
    /// Opens the database that the settings name, or the embedded one of the data folder, creating that at the first time.
    ///
    /// # Errors
    /// A database that cannot be started or reached, or lacks migrations.
    pub async fn open(config: &Database, schema: Schema, connections: u32) -> Result<Self> {
        let (url, embedded) = if let Some(url) = config.url() {
            (url.to_owned(), None)
        } else {
            create_data_dir(&config.data_dir)?;
            let options = Options { data_dir: config.data_dir.clone(), durability: Durability::Durable };
            let embedded = Embedded::start(&options).await?;
            (embedded.url(), Some(embedded))
        };
        let pool = pool::options()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy(&url)
            .context("DATABASE_URL cannot be read")?;
        let store = Self { pool, url, embedded };
        match store.check(schema).await {
            Ok(()) => Ok(store),
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    /// Opens the database for one piece of work on one connection, and closes it again however the work went.
    ///
    /// # Errors
    /// As [`Store::open`], and the work's own.
    pub async fn with<T>(
        config: &Database,
        schema: Schema,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        let store = Self::open(config, schema, 1).await?;
        let result = match store.pool.acquire().await {
            Ok(mut conn) => work(&mut conn).await,
            Err(error) => Err(error).context("cannot reach the database"),
        };
        store.close().await?;
        result
    }

    async fn check(&self, schema: Schema) -> Result<()> {
        let mut conn = self.pool.acquire().await.context("cannot reach the database")?;
        let pending = match schema {
            Schema::Ignore => return Ok(()),
            Schema::Apply | Schema::Own | Schema::Require => schema::pending(&mut conn).await?,
        };
        drop(conn);
        if pending.is_empty() {
            return Ok(());
        }
        if schema == Schema::Apply || (schema == Schema::Own && self.embedded.is_some()) {
            schema::migrate(&self.connect_options()?).await?;
            return Ok(());
        }
        let names: Vec<String> = pending.iter().map(|m| format!("{:04} {}", m.version, m.description)).collect();
        bail!(
            "the database lacks {} migration(s) ({}); apply them with `plumbline migrate`",
            names.len(),
            names.join(", ")
        )
    }

    /// How to connect outside the pool.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub fn connect_options(&self) -> Result<PgConnectOptions> {
        self.url.parse().context("DATABASE_URL cannot be read")
    }

    /// Whether the database is the embedded one.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Starts the parts of a role, waits until they have ended, and closes the database after them. Exit status 0 means that
    /// the process was told to stop and did so cleanly.
    ///
    /// # Errors
    /// A part that could not be started, or failed.
    pub async fn serve(self, shutdown: &Shutdown, start: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<ExitCode> {
        let started = start(&self).await;
        if started.is_err() {
            shutdown.soft().cancel();
        }
        let ended = CancellationToken::new();
        let keeper = tokio::spawn(self.keep(ended.clone()));
        let clean = shutdown.finished().await;
        ended.cancel();
        keeper.await?.close().await?;
        started?;
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Keeps the embedded server running until `stop`, and hands itself back: a server that dies is started again.
    async fn keep(mut self, stop: CancellationToken) -> Self {
        let Some(embedded) = &mut self.embedded else {
            return self;
        };
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_AFTER)).await.is_some() {
            match embedded.revive().await {
                Ok(true) => tracing::warn!("the embedded postgres had died and was started again"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the embedded postgres has died and does not start"),
            }
        }
        self
    }

    /// Closes the connections and gives up the embedded server, which its last user stops.
    ///
    /// # Errors
    /// A server that does not stop.
    pub async fn close(self) -> Result<()> {
        self.pool.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// Creates the data folder, for its owner's eyes only, unless it exists.
///
/// # Errors
/// A folder that cannot be created.
pub fn create_data_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create the data folder {}", path.display()))
}
