//! Opening what every role needs: the data folder, the database, its schema.

use crate::config::Database;
use crate::postgres::{Durability, Embedded, Options};
use anyhow::{Context as _, Result, bail};
use jobs::schema;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

/// How long a query waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Leave them alone; the command deals with them itself.
    Ignore,
}

impl Store {
    /// Opens the database that the settings name, or the embedded one of the data folder, creating that at the first time.
    ///
    /// # Errors
    /// A database that cannot be started or reached, or lacks migrations.
    pub async fn open(config: &Database, schema: Schema, connections: u32) -> Result<Self> {
        let (url, embedded) = match config.url() {
            Some(url) => (url.to_owned(), None),
            None => {
                create_data_dir(&config.data_dir)?;
                let options = Options { data_dir: config.data_dir.clone(), durability: Durability::Durable };
                let embedded = Embedded::start(&options).await?;
                (embedded.url(), Some(embedded))
            }
        };
        let pool = PgPoolOptions::new()
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

    async fn check(&self, schema: Schema) -> Result<()> {
        let mut conn = self.pool.acquire().await.context("cannot reach the database")?;
        let pending = match schema {
            Schema::Ignore => return Ok(()),
            Schema::Own | Schema::Require => schema::pending(&mut conn).await?,
        };
        drop(conn);
        if pending.is_empty() {
            return Ok(());
        }
        if schema == Schema::Own && self.embedded.is_some() {
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

    /// Starts the embedded server again if it has died.
    ///
    /// # Errors
    /// A server that does not start.
    pub async fn revive(&mut self) -> Result<()> {
        if let Some(embedded) = &mut self.embedded
            && embedded.revive().await?
        {
            tracing::warn!("the embedded postgres had died and was started again");
        }
        Ok(())
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
