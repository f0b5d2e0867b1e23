//! Taking jobs out: in batches, fairly among tenants, under a lease.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
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

/// What is claimed from in order of time: the jobs of one queue that agree in all of this. The default stands before all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Lower is claimed first.
    pub priority: i16,
    /// Whose; the nil UUID is the platform itself.
    pub tenant: Uuid,
    /// Their kind.
    pub kind: String,
    /// Their concurrency group; empty: none.
    pub group: String,
}

/// A job in a worker's hands.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The right to settle it.
    pub claim: Claim,
    /// What it was claimed from.
    pub stream: Stream,
    /// Since when it could have run.
    pub run_at: DateTime<Utc>,
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
    /// Whether rows elsewhere hang on it: earlier errors, an outcome to keep, a dead job that it replays, the counters of
    /// limits on running jobs.
    pub has_trail: bool,
    /// For how long it had been ready when it was claimed.
    pub ready_for: Duration,
    /// When the claim was answered.
    pub received: Instant,
}

impl Claimed {
    /// Whose job it is; `None` for the platform's own.
    #[must_use]
    pub fn tenant(&self) -> Option<Uuid> {
        Some(self.stream.tenant).filter(|tenant| !tenant.is_nil())
    }
}

/// Where to look for jobs.
#[derive(Debug, Clone, Copy)]
pub enum Look<'a> {
    /// Everywhere, beginning after this stream, which was served last. What it costs grows with the dead index entries that an old
    /// snapshot somewhere keeps in front of the work.
    Everywhere {
        /// The stream served last; its priority does not matter.
        after: &'a Stream,
    },
    /// In these streams, and in each from the time on up to which it was claimed: what came in before is not seen.
    Known(&'a [(Stream, DateTime<Utc>)]),
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
    /// Where.
    pub look: Look<'a>,
}

/// What a claim took.
#[derive(Debug, Default)]
pub struct Claims {
    /// The jobs, in the order in which they should start.
    pub jobs: Vec<Claimed>,
    /// How long the database walked to find where there is something to claim.
    pub walked: Duration,
    /// When the next group may go on that its pace holds up; `None` where none is held up.
    pub next_in: Option<Duration>,
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

/// Known streams in columns.
#[derive(Default)]
struct Columns {
    priorities: Vec<i16>,
    tenants: Vec<Uuid>,
    kinds: Vec<String>,
    groups: Vec<String>,
    since: Vec<DateTime<Utc>>,
}

/// Claims ready jobs: by priority, within a priority an equal share for each tenant, within a tenant an equal share for each
/// kind and concurrency group, of these the oldest first; never more than the limits on running jobs allow.
///
/// In a transaction of its own: one that takes nothing is not waited for on the disk.
///
/// # Errors
/// See [`ClaimError`].
pub async fn claim(conn: &mut PgConnection, request: ClaimRequest<'_>) -> Result<Claims, ClaimError> {
    let (first, mut known) = (Stream::default(), Columns::default());
    let after = match request.look {
        Look::Everywhere { after } => after,
        Look::Known(streams) => {
            for (stream, since) in streams {
                known.priorities.push(stream.priority);
                known.tenants.push(stream.tenant);
                known.kinds.push(stream.kind.clone());
                known.groups.push(stream.group.clone());
                known.since.push(*since);
            }
            &first
        }
    };
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", tenant AS "tenant!", kind AS "kind!", concurrency_group AS "group!", priority AS "priority!",
                  run_at AS "run_at!", claim_no AS "claim_no!", attempt AS "attempt!", max_attempts AS "max_attempts!",
                  payload AS "payload!", request_id, trace_parent, has_trail AS "has_trail!", walked_us AS "walked_us!", next_in_us,
                  date_part('epoch', now() - run_at) AS "ready_for_s!"
             FROM queue_claim($1, $2, $3, ROW (0, $4, $5, $6, NULL)::job_stream,
                    (SELECT array_agg(ROW (s.*)::job_stream)
                       FROM unnest($7::smallint[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[]) s))"#,
        request.worker,
        request.queue,
        i32::try_from(request.limit).unwrap_or(i32::MAX),
        after.tenant,
        after.kind,
        after.group,
        &known.priorities,
        &known.tenants,
        &known.kinds,
        &known.groups,
        &known.since,
    )
    .fetch_all(conn)
    .await
    .map_err(|error| match error.as_database_error().and_then(DatabaseError::code) {
        Some(code) if code == LEASE_LOST => ClaimError::LeaseLost(request.worker),
        _ => ClaimError::Database(error),
    })?;
    let received = Instant::now();
    let next_in_us = rows.last().and_then(|row| row.next_in_us).and_then(|us| u64::try_from(us).ok());
    let walked = rows.first().and_then(|row| u64::try_from(row.walked_us).ok()).map(Duration::from_micros);
    let jobs = rows.into_iter().filter(|row| !row.id.is_nil()).map(|row| Claimed {
        claim: Claim { id: JobId::from(row.id), worker: request.worker, claim_no: row.claim_no },
        stream: Stream { priority: row.priority, tenant: row.tenant, kind: row.kind, group: row.group },
        run_at: row.run_at,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        payload: row.payload,
        request_id: row.request_id,
        trace_parent: row.trace_parent,
        has_trail: row.has_trail,
        ready_for: Duration::try_from_secs_f64(row.ready_for_s).unwrap_or_default(),
        received,
    });
    Ok(Claims {
        jobs: jobs.collect(),
        walked: walked.unwrap_or_default(),
        next_in: next_in_us.map(Duration::from_micros),
    })
}

/// Whether the claim still stands, and makes it stand until the caller's transaction ends.
///
/// A handler that writes an effect which must not happen twice asks this first, in the same transaction: a rescue leaves the job
/// alone until that transaction ends, and so does the next attempt.
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

/// What a worker holds of some queues, locked until the transaction ends, but for what its handlers' transactions lock
/// ([`hold`]).
///
/// There is no index on the holder, since every claim would have to write it. This walks the queues' part of the
/// index; it is asked only after a worker was lost or a claim's answer was.
pub(super) async fn held_by(conn: &mut PgConnection, worker: Uuid, queues: &[String]) -> sqlx::Result<Vec<Held>> {
    let rows = sqlx::query!(
        "SELECT id, claim_no, attempt, max_attempts FROM job WHERE queue = ANY($2) AND claimed_by = $1
            FOR UPDATE SKIP LOCKED",
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
