//! Where a benchmark happens: a schema of its own in the database of the settings, with all migrations.

use super::noop::{Noop, Starts};
use crate::boot::{Schema, Store};
use crate::config::Database;
use anyhow::{Context as _, Result};
use jobs::db::{measure, pool};
use jobs::queue::{Config, Signals, enqueue_many};
use jobs::schema;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::runtime::{Handler, Runtime, Shutdown, Stopped};

/// The benchmarks' schema; what is in it is dropped at the next one's start.
pub const SCHEMA: &str = "plumbline_bench";

/// Jobs of one transaction of a bulk enqueue.
pub const BATCH: usize = 1_000;

/// How long the server takes to add up what a session reported at its end.
const STATISTICS: Duration = Duration::from_millis(300);

/// Connections of a worker process.
const CONNECTIONS: u32 = 8;

/// Whether to begin with an empty schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Yes.
    Empty,
    /// No: another process made it.
    AsItIs,
}

/// See the module.
pub struct Ground {
    store: Store,
    options: PgConnectOptions,
    pub pool: PgPool,
    pub signals: Signals,
    listening: CancellationToken,
}

impl Ground {
    pub async fn open(database: &Database, begin: Begin) -> Result<Self> {
        let store = Store::open(database, Schema::Ignore, 2).await?;
        let options = store.connect_options()?.options([("search_path", SCHEMA)]);
        if begin == Begin::Empty {
            let mut conn = store.pool.acquire().await?;
            measure::recreate_schema(&mut conn, SCHEMA).await?;
            drop(conn);
            schema::migrate(&options).await?;
        }
        let pool = pool::options()
            .max_connections(CONNECTIONS)
            .connect_with(options.clone())
            .await
            .context("cannot open connections to the database")?;
        let listening = CancellationToken::new();
        let signals = Signals::listen(store.url.clone(), listening.clone());
        Ok(Self { store, options, pool, signals, listening })
    }

    /// The database's URL, for another process of the same benchmark.
    pub fn url(&self) -> &str {
        &self.store.url
    }

    /// The URL that leads into the benchmarks' schema, for a command that knows nothing of it.
    pub fn inner_url(&self) -> String {
        let url = self.url();
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}options[search_path]={SCHEMA}")
    }

    /// A connection outside of the pool.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }

    /// Ends the benchmark and removes what it wrote.
    pub async fn close(self) -> Result<()> {
        self.listening.cancel();
        self.pool.close().await;
        let mut conn = self.store.pool.acquire().await?;
        measure::drop_schema(&mut conn, SCHEMA).await?;
        drop(conn);
        self.store.close().await
    }

    /// Ends the benchmark and leaves what it wrote to the next process.
    pub async fn leave(self) -> Result<()> {
        self.listening.cancel();
        self.pool.close().await;
        self.store.close().await
    }

    /// Enqueues jobs from one connection, in transactions of [`BATCH`].
    pub async fn fill(&self, jobs: &[Noop]) -> Result<()> {
        let mut conn = self.connect().await?;
        for batch in jobs.chunks(BATCH) {
            let mut tx = conn.begin().await?;
            enqueue_many(&mut tx, batch).await?;
            tx.commit().await?;
        }
        Ok(conn.close().await?)
    }

    /// A worker of this process, on connections of its own: a session reports what it did when it ends, or much later.
    pub fn work<H: Handler>(&self, handler: H, concurrency: usize) -> Working {
        let config = Config { concurrency, ..Config::default() };
        let pool = pool::options().max_connections(CONNECTIONS).connect_lazy_with(self.options.clone());
        let runtime = Runtime::builder(pool.clone(), self.signals.clone(), config).register(handler);
        let shutdown = Shutdown::default();
        let stop = shutdown.clone();
        Working { shutdown, pool, task: tokio::spawn(async move { Ok(runtime.run(stop).await?) }) }
    }

    /// Waits until no job is left, given that `starts` counts them as they start.
    pub async fn until_done(&self, starts: &Arc<Starts>, jobs: usize) -> Result<()> {
        while starts.count() < jobs {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut conn = self.pool.acquire().await?;
        while measure::any_left(&mut conn, Noop::QUEUE_NAME).await? {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// The write-ahead log's position.
    pub async fn wal(&self) -> Result<i64> {
        Ok(measure::wal_position(&mut *self.pool.acquire().await?).await?)
    }

    /// The tables' state, with all that sessions did which have ended.
    pub async fn tables(&self) -> Result<measure::Tables> {
        tokio::time::sleep(STATISTICS).await;
        Ok(measure::tables(&mut *self.pool.acquire().await?).await?)
    }
}

/// A worker that runs.
pub struct Working {
    shutdown: Shutdown,
    pool: PgPool,
    task: JoinHandle<Result<Stopped>>,
}

impl Working {
    /// Stops it; everything it held is settled or handed back then.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.soft.cancel();
        let stopped = self.task.await??;
        self.pool.close().await;
        anyhow::ensure!(stopped.clean, "the worker left jobs behind");
        Ok(())
    }
}
