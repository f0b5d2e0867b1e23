//! A database for each test, copied from a migrated template and dropped at the test's end.

use super::server;
use jobs::db::pool;
use jobs::schema;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// How long a test's end waits for its database to be gone; after that it goes by itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// A migrated database of one's own.
pub struct TestDb {
    /// Connections to it.
    pub pool: PgPool,
    /// Its URL, for starting the binary on it.
    pub url: String,
    name: String,
}

impl TestDb {
    /// A fresh, migrated database.
    pub async fn new() -> Self {
        Self::copy_of(template().await).await
    }

    /// A fresh database without any table.
    pub async fn unmigrated() -> Self {
        Self::copy_of("template0").await
    }

    async fn copy_of(template: &str) -> Self {
        let name = format!("t_{}", Uuid::now_v7().simple());
        let mut admin = connect("postgres").await;
        execute(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        admin.close().await.expect("a clean end");
        let url = format!("{}/{name}", server::url());
        let pool = pool::options().max_connections(8).connect(&url).await.expect("a pool");
        Self { pool, url, name }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let name = self.name.clone();
        let (tell, told) = mpsc::channel();
        // The test's runtime may be on its way out, and drop is not async.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut admin = connect("postgres").await;
                execute(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
            // Nobody listens any more where it took long.
            let _ = tell.send(());
        });
        // Dropping waits for every session to take notice. One whose client is in the middle of signing in does not, and that client
        // may be a task of the very runtime whose thread waits here: so not for long.
        let dropped = told.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Disconnected);
        assert!(dropped || std::thread::panicking(), "database {} was not dropped", self.name);
    }
}

/// The template's name, once it is there: one for each set of migrations, made by whoever comes first.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE.get_or_init(make_template).await
}

async fn make_template() -> String {
    let mut hasher = DefaultHasher::new();
    for migration in schema::MIGRATIONS.iter() {
        (migration.version, &*migration.checksum).hash(&mut hasher);
    }
    let name = format!("template_{:016x}", hasher.finish());
    // Held until the function's end; other processes wait here.
    let _lock = tokio::task::spawn_blocking(|| {
        let lock = File::create(server::folder().join("template.lock")).expect("a lock file");
        lock.lock().expect("the lock");
        lock
    })
    .await
    .expect("the lock's thread");
    let mut admin = connect("postgres").await;
    let existing: Vec<String> = sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'template\\_%'")
        .fetch_all(&mut admin)
        .await
        .expect("the list of databases");
    if existing.contains(&name) {
        return name;
    }
    for old in existing {
        execute(&mut admin, &format!("DROP DATABASE {old} WITH (FORCE)")).await;
    }
    let unfinished = format!("new_{name}");
    execute(&mut admin, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
    execute(&mut admin, &format!("CREATE DATABASE {unfinished}")).await;
    let options: PgConnectOptions = format!("{}/{unfinished}", server::url()).parse().expect("a URL");
    schema::migrate(&options).await.expect("the migrations apply");
    execute(&mut admin, &format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
    name
}

async fn connect(database: &str) -> PgConnection {
    let options: PgConnectOptions = format!("{}/{database}", server::url()).parse().expect("a URL");
    options.connect().await.expect("the tests' Postgres accepts connections")
}

async fn execute(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}
