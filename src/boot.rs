//! Opening what every role needs: the data folder, the database, its schema.

use crate::config::{Database, Pooler};
use crate::postgres::{Durability, Embedded, Options};
use crate::shutdown::Shutdown;
use anyhow::{Context as _, Result, bail, ensure};
use jobs::db::pool;
use jobs::db::pooler::Relay;
use jobs::schema;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
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
    relay: Option<Relay>,
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
        let opened = async {
            let (mut options, mut schema, mut relay) = (parse(&url)?, schema, None);
            if config.pooler() == Pooler::Transaction {
                let opened = Relay::open(&options)?;
                // Once without the relay, so that an error names the place of the settings.
                reach(&options.extra_float_digits(None)).await?.close().await?;
                options = opened.options().clone();
                relay = Some(opened);
                // Migrations take a lock of the session, which a pooler would leave behind.
                schema = if schema == Schema::Ignore { Schema::Ignore } else { Schema::Require };
            }
            prepare(&options, schema, embedded.is_some()).await?;
            let pool = pool::options()
                .max_connections(connections)
                .min_connections(opened_first(connections))
                .acquire_timeout(ACQUIRE_TIMEOUT);
            let pool = pool.connect_with(options).await.context("cannot open connections to the database")?;
            Ok((pool, relay))
        };
        match opened.await {
            Ok((pool, relay)) => Ok(Self { pool, url, embedded, relay }),
            Err(error) => {
                if let Some(embedded) = embedded {
                    embedded.stop().await?;
                }
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

    /// How to connect outside the pool, to Postgres itself.
    ///
    /// # Errors
    /// A URL that cannot be read, or leads to a pooler.
    pub fn connect_options(&self) -> Result<PgConnectOptions> {
        ensure!(
            self.relay.is_none(),
            "migrations need Postgres itself, as they hold a session's lock: give its own URL as DATABASE_URL, and no PLUMBLINE_POOLER"
        );
        parse(&self.url)
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

/// Connections that are opened before the work begins and kept: a busy process is slow to open more, as that takes many
/// turns of its threads.
const fn opened_first(connections: u32) -> u32 {
    let quarter = connections / 4;
    if quarter < 8 { quarter } else { 8 }
}

fn parse(url: &str) -> Result<PgConnectOptions> {
    url.parse().context("DATABASE_URL cannot be read")
}

/// Connects once outside of any pool, which would try again in silence and tell no more than that it waited; and deals with
/// migrations that are not applied yet.
async fn prepare(options: &PgConnectOptions, schema: Schema, is_embedded: bool) -> Result<()> {
    let mut conn = reach(options).await?;
    let pending = match schema {
        Schema::Ignore => Vec::new(),
        Schema::Apply | Schema::Own | Schema::Require => schema::pending(&mut conn).await?,
    };
    conn.close().await?;
    if pending.is_empty() {
        return Ok(());
    }
    if schema == Schema::Apply || (schema == Schema::Own && is_embedded) {
        schema::migrate(options).await?;
        return Ok(());
    }
    let names: Vec<String> = pending.iter().map(|m| format!("{:04} {}", m.version, m.description)).collect();
    bail!("the database lacks {} migration(s) ({}); apply them with `plumbline migrate`", names.len(), names.join(", "))
}

/// A first connection; its error says where the database was looked for and what was wrong, never the password.
async fn reach(options: &PgConnectOptions) -> Result<PgConnection> {
    let place = options
        .get_socket()
        .map_or_else(|| format!("{}:{}", options.get_host(), options.get_port()), |path| path.display().to_string());
    match tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(sqlx::Error::Io(error))) => bail!("cannot reach the database at {place}: {error}"),
        Ok(Err(error)) if is_protocol_violation(&error) => bail!(
            "cannot use the database at {place}: {error}; if that is a pooler in transaction mode, set PLUMBLINE_POOLER=transaction"
        ),
        Ok(Err(error)) => bail!("cannot use the database at {place}: {error}"),
        Err(_) => bail!("cannot reach the database at {place}: no answer within {} s", ACQUIRE_TIMEOUT.as_secs()),
    }
}

/// `protocol_violation`: how PgBouncer refuses a setting that it does not keep for each client.
fn is_protocol_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "08P01")
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
