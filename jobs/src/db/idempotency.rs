//! Answers kept for an `Idempotency-Key`; the protocol is told in the API's `idempotency`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batches::Batch;

/// A request that wants to be the first with its key.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Whose key it is.
    pub principal: &'a str,
    /// The key.
    pub key: &'a str,
    /// SHA-256 over method, path and body.
    pub request_hash: &'a [u8; 32],
    /// This request.
    pub attempt_id: Uuid,
    /// How long it is believed to be alive.
    pub held_for: Duration,
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing, or a claim that ran out: the key is this request's now.
    Claimed,
    /// The key was used for another request.
    Other,
    /// A request with the key is at work.
    Running,
    /// The request was answered, or ended after it had saved an answer ahead.
    Answered(Answered),
}

/// A kept answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Headers to repeat.
    pub headers: Value,
    /// The body, sealed.
    pub body: Vec<u8>,
}

/// An answer to keep.
#[derive(Debug, Clone)]
pub struct Save<'a> {
    /// Whose key it is.
    pub principal: &'a str,
    /// The key.
    pub key: &'a str,
    /// The request that claimed it.
    pub attempt_id: Uuid,
    /// HTTP status.
    pub status: u16,
    /// Headers to repeat.
    pub headers: Value,
    /// The body, sealed.
    pub body: &'a [u8],
    /// Whether the request goes on.
    pub stage: Stage,
}

/// Whether an answer is the request's last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Work has begun that goes on without the request. This is the answer if the request should not live to give a better
    /// one; until then others are told that it is at work.
    Ahead,
    /// It is.
    Last,
}

/// Claims a key, or tells why it cannot be had. Not for use inside the transaction of the work: others must see the claim.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut PgConnection, claim: &Claim<'_>) -> sqlx::Result<Found> {
    let held_for = claim.held_for.as_secs_f64();
    let claimed = sqlx::query_scalar!(
        r#"INSERT INTO idempotency_key AS k (principal, key, request_hash, attempt_id, locked_until)
           VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
           ON CONFLICT (principal, key) DO UPDATE
              SET request_hash = excluded.request_hash, attempt_id = excluded.attempt_id,
                  locked_until = excluded.locked_until, status = NULL, headers = NULL, body = NULL,
                  created_at = excluded.created_at, expires_at = excluded.expires_at
            WHERE k.expires_at <= now()
               OR (k.status IS NULL AND k.locked_until <= now() AND k.request_hash = excluded.request_hash)
           RETURNING true AS "claimed!""#,
        claim.principal,
        claim.key,
        claim.request_hash.as_slice(),
        claim.attempt_id,
        held_for,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if claimed.is_some() {
        return Ok(Found::Claimed);
    }
    let held = sqlx::query!(
        r#"SELECT request_hash, status, headers, body, locked_until > now() AS "at_work!"
             FROM idempotency_key WHERE principal = $1 AND key = $2"#,
        claim.principal,
        claim.key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(match held {
        // Released or swept between the two statements; whoever asks again may have it.
        None => Found::Running,
        Some(held) if held.request_hash != claim.request_hash => Found::Other,
        Some(held) => match (held.status.and_then(|status| u16::try_from(status).ok()), held.body) {
            (Some(status), Some(body)) if !held.at_work => {
                Found::Answered(Answered { status, headers: held.headers.unwrap_or_default(), body })
            }
            _ => Found::Running,
        },
    })
}

/// Keeps an answer, in the transaction of its effect. `false` when the key is in other hands by now: roll back.
///
/// # Errors
/// The database's.
pub async fn save(conn: &mut PgConnection, save: &Save<'_>) -> sqlx::Result<bool> {
    let saved = sqlx::query!(
        "UPDATE idempotency_key
            SET status = $4, headers = $5, body = $6, locked_until = CASE WHEN $7 THEN now() ELSE locked_until END
          WHERE principal = $1 AND key = $2 AND attempt_id = $3",
        save.principal,
        save.key,
        save.attempt_id,
        i16::try_from(save.status).unwrap_or(i16::MAX),
        save.headers,
        save.body,
        save.stage == Stage::Last,
    )
    .execute(conn)
    .await?;
    Ok(saved.rows_affected() == 1)
}

/// Frees a key that its request has not answered for good.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut PgConnection, principal: &str, key: &str, attempt_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM idempotency_key
          WHERE principal = $1 AND key = $2 AND attempt_id = $3 AND (status IS NULL OR locked_until > now())",
        principal,
        key,
        attempt_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives out from now on what its request has saved ahead: the request has ended.
///
/// # Errors
/// The database's.
pub async fn settle(conn: &mut PgConnection, principal: &str, key: &str, attempt_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE idempotency_key SET locked_until = now()
          WHERE principal = $1 AND key = $2 AND attempt_id = $3 AND status IS NOT NULL",
        principal,
        key,
        attempt_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets up to `most` keys that are older than their 24 hours, from those of a time on.
///
/// # Errors
/// The database's.
pub async fn sweep(
    conn: &mut PgConnection,
    from: Option<DateTime<Utc>>,
    most: i64,
) -> sqlx::Result<Batch<Option<DateTime<Utc>>>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM idempotency_key WHERE expires_at <= now() AND expires_at >= coalesce($1::timestamptz, '-infinity')
            ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
         RETURNING expires_at",
        from,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(Batch::of(gone.len(), most, || Some(gone.into_iter().max())))
}
