//! Platform operators' keys.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::crypto::api_key;
use crate::ids::OperatorKeyId;

/// An operator's key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// Its id.
    pub id: OperatorKeyId,
    /// Whose or what for.
    pub name: String,
    /// First characters, which stay visible.
    pub key_prefix: String,
    /// SHA-256 of the whole key.
    pub key_hash: Vec<u8>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its last use was noted more than a minute ago: call [`touch`].
    pub touch: bool,
}

/// Stores a new key; `raw_key` is shown to the operator by the caller, once.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, name: &str, raw_key: &str) -> sqlx::Result<OperatorKey> {
    let hash = api_key::hash(raw_key);
    sqlx::query_as!(
        OperatorKey,
        r#"INSERT INTO operator_key (id, name, key_prefix, key_hash) VALUES ($1, $2, $3, $4)
           RETURNING id AS "id: OperatorKeyId", name, key_prefix, key_hash, created_at, true AS "touch!""#,
        OperatorKeyId::new().uuid(),
        name,
        api_key::visible(raw_key),
        hash.as_slice(),
    )
    .fetch_one(conn)
    .await
}

/// The key that has this secret, unless it was revoked.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, raw_key: &str) -> sqlx::Result<Option<OperatorKey>> {
    let hash = api_key::hash(raw_key);
    sqlx::query_as!(
        OperatorKey,
        r#"SELECT id AS "id: OperatorKeyId", name, key_prefix, key_hash, created_at,
                  coalesce(last_used_at < now() - interval '1 minute', true) AS "touch!"
             FROM operator_key WHERE key_hash = $1 AND revoked_at IS NULL"#,
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await
}

/// How many keys are not revoked.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM operator_key WHERE revoked_at IS NULL"#)
        .fetch_one(conn)
        .await
}

/// Notes that a key was used. Of many requests at once one writes.
///
/// # Errors
/// The database's.
pub async fn touch(conn: &mut PgConnection, id: OperatorKeyId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE operator_key SET last_used_at = now()
          WHERE id = $1 AND coalesce(last_used_at < now() - interval '1 minute', true)",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
