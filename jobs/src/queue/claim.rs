//! Taking jobs out: in batches, fairly among tenants, under a lease.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use crate::ids::JobId;

/// `ERRCODE` by which `queue_claim` says that the worker holds no lease.
const LEASE_LOST: &str = "PQ001";

/// A worker's right to settle a job: its fence. Once the job was rescued or handed back, a settlement under an old
/// claim changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The job.
    pub id: JobId,
    /// The worker's random id.
    pub worker: Uuid,
    /// Number of this claim of the job. Unlike the attempt it grows with every claim, also after a snooze.
    pub claim_no: i32,
}

/// A job in a worker's hands.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The right to settle it.
    pub claim: Claim,
    /// Whose job it is; `None` for the platform's own.
    pub tenant: Option<Uuid>,
    /// Which handler runs it.
    pub kind: String,
    /// This attempt, from 1.
    pub attempt: i16,
    /// The attempt after which it is dead.
    pub max_attempts: i16,
    /// JSON of the payload.
    pub payload: String,
    /// The API request that caused it.
    pub request_id: Option<String>,
    /// W3C traceparent of whoever enqueued it.
    pub trace_parent: Option<String>,
    /// Whether rows elsewhere hang on it: earlier errors, an outcome to keep, a dead job that it replays.
    pub has_trail: bool,
    /// For how long it had been ready when it was claimed.
    pub ready_for: Duration,
    /// When the claim was answered.
    pub received: Instant,
}

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// Who claims.
    pub worker: Uuid,
    /// From which queue.
    pub queue: &'a str,
    /// At most so many.
    pub limit: usize,
    /// The tenant that was served last: the turn is at the one after it.
    pub after: Uuid,
}

/// Why nothing could be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The worker was silent for too long, its jobs were rescued: it needs a new id.
    #[error("worker {0} holds no lease any more; its jobs were rescued")]
    LeaseLost(Uuid),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Claims ready jobs: by priority, within a priority an equal share for each tenant, each tenant's oldest first.
///
/// # Errors
/// See [`ClaimError`].
pub async fn claim(conn: &mut PgConnection, request: ClaimRequest<'_>) -> Result<Vec<Claimed>, ClaimError> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", tenant AS "tenant!", kind AS "kind!", claim_no AS "claim_no!", attempt AS "attempt!",
                  max_attempts AS "max_attempts!", payload AS "payload!", request_id, trace_parent,
                  (attempt > 1 OR outcome_ttl_s > 0 OR replay_of IS NOT NULL) AS "has_trail!",
                  date_part('epoch', claimed_at - run_at) AS "ready_for_s!"
             FROM queue_claim($1, $2, $3, $4)"#,
        request.worker,
        request.queue,
        i32::try_from(request.limit).unwrap_or(i32::MAX),
        request.after,
    )
    .fetch_all(conn)
    .await
    .map_err(|error| match error.as_database_error().and_then(DatabaseError::code) {
        Some(code) if code == LEASE_LOST => ClaimError::LeaseLost(request.worker),
        _ => ClaimError::Database(error),
    })?;
    let received = Instant::now();
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            claim: Claim { id: JobId::from(row.id), worker: request.worker, claim_no: row.claim_no },
            tenant: Some(row.tenant).filter(|tenant| !tenant.is_nil()),
            kind: row.kind,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            payload: row.payload,
            request_id: row.request_id,
            trace_parent: row.trace_parent,
            has_trail: row.has_trail,
            ready_for: Duration::try_from_secs_f64(row.ready_for_s).unwrap_or_default(),
            received,
        })
        .collect())
}

/// Whether the claim still stands, and makes it stand until the caller's transaction ends.
///
/// A handler that writes an effect which must not happen twice asks this first, in the same transaction: rescue, and so
/// the next attempt, waits for that transaction.
///
/// # Errors
/// When the database refuses.
pub async fn hold(conn: &mut PgConnection, claim: &Claim) -> sqlx::Result<bool> {
    let held = sqlx::query_scalar!(
        r#"SELECT true AS "held!" FROM job WHERE id = $1 AND claimed_by = $2 AND claim_no = $3 FOR SHARE"#,
        claim.id.uuid(),
        claim.worker,
        claim.claim_no,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}

/// A claim as the database has it, with what decides whether the job may be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub claim: Claim,
    pub attempt: i16,
    pub max_attempts: i16,
}

/// What a worker holds, of one queue or of all.
///
/// There is no index on the holder, since every claim would have to write it. This walks the queue's part of the
/// index; it is asked only after a worker was lost or a claim's answer was.
pub(super) async fn held_by(conn: &mut PgConnection, worker: Uuid, queues: &[String]) -> sqlx::Result<Vec<Held>> {
    let rows = sqlx::query!(
        "SELECT id, claim_no, attempt, max_attempts FROM job WHERE queue = ANY($2) AND claimed_by = $1",
        worker,
        queues,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Held {
            claim: Claim { id: JobId::from(row.id), worker, claim_no: row.claim_no },
            attempt: row.attempt,
            max_attempts: row.max_attempts,
        })
        .collect())
}
