//! What the database says of itself, for benchmarks: the write-ahead log's position, tuples, sizes.

pub mod expired;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::WebhookEndpointId;

/// Tuples that updates and deletes left dead so far, and sizes on disk in bytes, of all tables of the search path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tables {
    /// Rows updated or deleted since the tables exist; each leaves a dead tuple.
    pub dead_made: i64,
    /// Dead tuples that are there now, as far as the database knows.
    pub dead: i64,
    /// Bytes of the tables.
    pub heap_bytes: i64,
    /// Bytes of their indexes.
    pub index_bytes: i64,
}

/// The position of the write-ahead log, in bytes.
///
/// # Errors
/// The database's.
pub async fn wal_position(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS "bytes!""#)
        .fetch_one(conn)
        .await
}

/// The state of the tables of the connection's schema. Sessions report their changes up to a second late.
///
/// # Errors
/// The database's.
pub async fn tables(conn: &mut PgConnection) -> sqlx::Result<Tables> {
    sqlx::query_as!(
        Tables,
        r#"SELECT coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint AS "dead_made!",
                  coalesce(sum(n_dead_tup), 0)::bigint AS "dead!",
                  coalesce(sum(pg_table_size(relid)), 0)::bigint AS "heap_bytes!",
                  coalesce(sum(pg_indexes_size(relid)), 0)::bigint AS "index_bytes!"
             FROM pg_stat_user_tables WHERE schemaname = current_schema()"#
    )
    .fetch_one(conn)
    .await
}

/// Makes an empty schema of this name, in place of one that may be there, or drops it.
///
/// # Errors
/// The database's.
pub async fn recreate_schema(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    drop_schema(conn, name).await?;
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {}", quoted(name)));
    sqlx::raw_sql(create).execute(conn).await?;
    Ok(())
}

/// Drops a schema with all that is in it, if it is there.
///
/// # Errors
/// The database's.
pub async fn drop_schema(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let drop = sqlx::AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(name)));
    sqlx::raw_sql(drop).execute(conn).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Renews the planner's statistics of the queue, as autovacuum would.
///
/// # Errors
/// The database's.
pub async fn analyze_queue(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("ANALYZE job").execute(conn).await?;
    Ok(())
}

/// The same of all tables that delivering webhooks reads and writes.
///
/// # Errors
/// The database's.
pub async fn analyze_webhooks(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("ANALYZE job, event, webhook_endpoint, webhook_delivery, webhook_attempt").execute(conn).await?;
    Ok(())
}

/// Deliveries to some endpoints, and what is written down of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// All of them.
    pub planned: i64,
    /// Those that the receiver took.
    pub delivered: i64,
    /// Attempts at all of them.
    pub attempts: i64,
}

/// Counts deliveries to these endpoints.
///
/// # Errors
/// The database's.
pub async fn deliveries(conn: &mut PgConnection, endpoints: &[WebhookEndpointId]) -> sqlx::Result<Deliveries> {
    let endpoints: Vec<Uuid> = endpoints.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Deliveries,
        r#"SELECT count(*) AS "planned!", count(*) FILTER (WHERE state = 'delivered') AS "delivered!",
                  (SELECT count(*) FROM webhook_attempt a JOIN webhook_delivery d ON d.id = a.delivery_id
                    WHERE d.endpoint_id = ANY ($1)) AS "attempts!"
             FROM webhook_delivery WHERE endpoint_id = ANY ($1)"#,
        &endpoints,
    )
    .fetch_one(conn)
    .await
}

/// Opens a transaction with a snapshot, which keeps everything that dies from now on from being removed.
///
/// # Errors
/// The database's.
pub async fn hold_snapshot(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query!("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut *conn).await?;
    jobs_left(conn, "").await
}

/// Lets the snapshot go.
///
/// # Errors
/// The database's.
pub async fn release_snapshot(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("ROLLBACK").execute(conn).await?;
    Ok(())
}

/// How many jobs of a queue wait or run.
///
/// # Errors
/// The database's.
pub async fn jobs_left(conn: &mut PgConnection, queue: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "jobs!" FROM job WHERE queue = $1"#, queue).fetch_one(conn).await
}

/// Whether any job of a queue waits or runs.
///
/// # Errors
/// The database's.
pub async fn any_left(conn: &mut PgConnection, queue: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM job WHERE queue = $1) AS "any!""#, queue).fetch_one(conn).await
}
