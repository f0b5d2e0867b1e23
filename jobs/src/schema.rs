//! The database's schema: the migrations are part of the binary, so that a binary always knows the schema it needs.
//!
//! Applying is safe from many machines at once: sqlx takes an advisory lock on the database for the whole run. That lock
//! belongs to a session, so migrations go to Postgres directly, not through a pooler in transaction mode.

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use std::collections::HashMap;

/// Every migration that this binary knows, in order.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Where sqlx keeps book.
const TABLE: &str = "_sqlx_migrations";

/// Postgres' code of `undefined_table`: the database has never been migrated.
const UNDEFINED_TABLE: &str = "42P01";

/// One step of the schema's history.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Migration {
    /// Its number, the beginning of its file name.
    pub version: i64,
    /// The rest of its file name, in words.
    pub description: String,
}

/// The migrations that the database still lacks, in order. One that a newer binary has applied is no reason to complain: old
/// and new run side by side while a fleet is upgraded.
///
/// # Errors
/// A database that cannot be asked, or an applied migration whose text is not the one in this binary.
pub async fn pending(conn: &mut PgConnection) -> Result<Vec<Migration>, MigrateError> {
    let applied = match conn.list_applied_migrations(TABLE).await {
        Ok(applied) => applied,
        Err(MigrateError::Execute(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some(UNDEFINED_TABLE) =>
        {
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let applied: HashMap<_, _> = applied.into_iter().map(|m| (m.version, m.checksum)).collect();
    let mut missing = Vec::new();
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            None => missing.push(Migration {
                version: migration.version,
                description: migration.description.clone().into_owned(),
            }),
            Some(checksum) if *checksum != migration.checksum => {
                return Err(MigrateError::VersionMismatch(migration.version));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

/// Applies what [`pending`] lists, and returns it. Of several callers at once one works and the others wait.
///
/// # Errors
/// As [`pending`]; or a migration that fails, which leaves the database as it was before that one.
pub async fn migrate(options: &PgConnectOptions) -> Result<Vec<Migration>, MigrateError> {
    // A connection of its own: closing it releases the lock whatever happens.
    let mut conn = options.connect().await?;
    let missing = pending(&mut conn).await?;
    let result = MIGRATIONS.run_direct(None, &mut conn, false).await;
    conn.close().await?;
    result.map(|()| missing)
}
