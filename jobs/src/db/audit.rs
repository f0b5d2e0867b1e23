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

/// Writes rows, in the order of their places, and moves their chain's head to the last one. The chain must be locked.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut PgConnection, chain_id: Uuid, rows: &[(Row, [u8; 32])]) -> sqlx::Result<()> {
    let Some((last, head_hash)) = rows.last() else { return Ok(()) };
    macro_rules! column {
        ($field:ident) => {
            &rows.iter().map(|(row, _)| row.$field.clone()).collect::<Vec<_>>()
        };
    }
    let prev_hashes: Vec<Vec<u8>> = rows.iter().map(|(row, _)| row.prev_hash.to_vec()).collect();
    let hashes: Vec<Vec<u8>> = rows.iter().map(|(_, hash)| hash.to_vec()).collect();
    sqlx::query!(
        "WITH moved AS (UPDATE audit_chain SET head_seq = $2, head_hash = $3 WHERE id = $1)
         INSERT INTO audit_event (chain_id, seq, id, occurred_at, actor_kind, actor_id, actor_display, action, target_kind,
                                  target_id, outcome, request_id, ip, details, hash, prev_hash)
         SELECT $1, * FROM unnest($4::bigint[], $5::uuid[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
                                  $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                                  $16::jsonb[], $17::bytea[], $18::bytea[])",
        chain_id,
        last.seq,
        head_hash.as_slice(),
        column!(seq),
        column!(id),
        column!(occurred_at),
        column!(actor_kind),
        column!(actor_id),
        column!(actor_display),
        column!(action),
        column!(target_kind),
        column!(target_id),
        column!(outcome),
        column!(request_id) as &[Option<String>],
        column!(ip) as &[Option<String>],
        column!(details),
        &hashes,
        &prev_hashes,
    )
    .execute(conn)
    .await?;
    Ok(())
}
