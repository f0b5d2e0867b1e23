//! The audit chain's rows; what they mean and how they are hashed is in [`crate::audit`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::audit::Row;

/// The newest row of a chain, and the database's time.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Place of the newest row; 0 for none.
    pub seq: i64,
    /// Its hash; zeros for none.
    pub hash: [u8; 32],
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Locks a chain until the transaction ends, and tells its head. An organisation's chain begins with its first row.
///
/// # Errors
/// When the database fails.
pub async fn lock_head(conn: &mut PgConnection, chain_id: Uuid) -> sqlx::Result<Head> {
    sqlx::query!(
        "INSERT INTO audit_chain (id, org_id) VALUES ($1::uuid, nullif($1::uuid, '00000000-0000-0000-0000-000000000000'))
         ON CONFLICT (id) DO NOTHING",
        chain_id
    )
    .execute(&mut *conn)
    .await?;
    // The clock is read after the lock is held: times in a chain never go back because two appends raced.
    let row = sqlx::query!("SELECT head_seq, head_hash FROM audit_chain WHERE id = $1 FOR UPDATE", chain_id)
        .fetch_one(&mut *conn)
        .await?;
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?;
    let hash =
        row.head_hash.try_into().map_err(|_| sqlx::Error::Decode("audit_chain.head_hash is not 32 bytes".into()))?;
    Ok(Head { seq: row.head_seq, hash, now })
}

/// Writes a row and moves its chain's head to it. The chain must be locked.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut PgConnection, row: &Row, hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH moved AS (UPDATE audit_chain SET head_seq = $2, head_hash = $15 WHERE id = $1)
         INSERT INTO audit_event (chain_id, seq, id, occurred_at, actor_kind, actor_id, actor_display, action, target_kind,
                                  target_id, outcome, request_id, ip, details, hash, prev_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        row.chain_id,
        row.seq,
        row.id,
        row.occurred_at,
        row.actor_kind,
        row.actor_id,
        row.actor_display,
        row.action,
        row.target_kind,
        row.target_id,
        row.outcome,
        row.request_id,
        row.ip,
        row.details,
        hash.as_slice(),
        row.prev_hash.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
