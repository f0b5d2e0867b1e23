//! The database's clock, for what is decided by age outside of it.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

/// The least UUID of version 7 of so long ago: ids below it are older.
///
/// # Errors
/// The database's.
pub async fn v7_floor(conn: &mut PgConnection, age: Duration) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(r#"SELECT uuid_v7_floor(now() - make_interval(secs => $1)) AS "floor!""#, age.as_secs_f64())
        .fetch_one(conn)
        .await
}
