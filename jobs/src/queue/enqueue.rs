//! Putting jobs in.
//!
//! Enqueueing is part of the caller's transaction: the job exists exactly when the change it belongs to does, and no
//! outbox stands beside it. Workers are woken by one `NOTIFY` a transaction and queue, which Postgres sends at commit.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::signals::JOBS_CHANNEL;
use crate::ids::JobId;
use crate::kinds::Job;

/// Jobs of one `INSERT` of [`enqueue_many`].
const BATCH: usize = 5_000;
/// How often enqueueing looks again for the job that has its unique key, when that one ends at the same moment.
const UNIQUE_RACES: usize = 10;

/// What may differ from the kind's policy for one job.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lower runs first; `None` for the kind's own.
    pub priority: Option<i16>,
    /// Not before this time; `None` for at once.
    pub run_at: Option<DateTime<Utc>>,
    /// How long to keep the outcome for whoever waits for it; `None` for the kind's own.
    pub outcome_ttl: Option<Duration>,
    /// The API request that causes it, for the logs.
    pub request_id: Option<String>,
    /// W3C traceparent of the caller.
    pub trace_parent: Option<String>,
}

/// A job that is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// Its id.
    pub id: JobId,
    /// Whether it was there before: a job with the same unique key waits or runs.
    pub existing: bool,
}

/// Why a job could not be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The payload does not serialise.
    #[error("the payload of a {kind} job cannot be written as JSON: {source}")]
    Payload {
        /// The kind.
        kind: &'static str,
        /// What serde says.
        source: serde_json::Error,
    },
    /// The job that holds the unique key ended each time when it was looked for.
    #[error("the unique key of a {kind} job changed hands {UNIQUE_RACES} times while enqueueing; try again")]
    Contended {
        /// The kind.
        kind: &'static str,
    },
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// For callers whose other errors are the database's.
impl From<EnqueueError> for sqlx::Error {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Database(error) => error,
            EnqueueError::Payload { source, .. } => Self::Encode(Box::new(source)),
            error @ EnqueueError::Contended { .. } => Self::Protocol(error.to_string()),
        }
    }
}

/// Enqueues a job by its kind's policy, in the caller's transaction.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn enqueue<J: Job>(conn: &mut PgConnection, job: &J) -> Result<Enqueued, EnqueueError> {
    enqueue_with(conn, job, &Options::default()).await
}

/// Enqueues a job by its kind's policy and `options`, in the caller's transaction.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn enqueue_with<J: Job>(
    conn: &mut PgConnection,
    job: &J,
    options: &Options,
) -> Result<Enqueued, EnqueueError> {
    let payload = payload(job)?;
    let tenant = job.tenant().unwrap_or_default();
    let unique_key = job.unique_key();
    for _ in 0..UNIQUE_RACES {
        let id = Uuid::now_v7();
        let inserted = sqlx::query_scalar!(
            r#"WITH new AS (
                 INSERT INTO job (id, tenant, run_at, priority, max_attempts, outcome_ttl_s, kind, queue, payload,
                                  unique_key, concurrency_group, request_id, trace_parent)
                 VALUES ($1, $2, coalesce($3, now()), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                 ON CONFLICT (kind, tenant, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
                 RETURNING run_at)
               SELECT CASE WHEN run_at <= now() THEN pg_notify($14, $8) IS NOT NULL ELSE true END AS "new!" FROM new"#,
            id,
            tenant,
            options.run_at,
            options.priority.unwrap_or(J::PRIORITY),
            J::MAX_ATTEMPTS,
            ttl_seconds(options.outcome_ttl.unwrap_or(J::OUTCOME_TTL)),
            J::KIND,
            J::QUEUE,
            &payload,
            unique_key.as_deref(),
            job.group().unwrap_or_default(),
            options.request_id.as_deref(),
            options.trace_parent.as_deref(),
            JOBS_CHANNEL,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if inserted.is_some() {
            return Ok(Enqueued { id: JobId::from(id), existing: false });
        }
        let key = unique_key.as_deref().unwrap_or_default();
        if let Some(id) = holder(conn, J::KIND, tenant, key).await? {
            return Ok(Enqueued { id: JobId::from(id), existing: true });
        }
    }
    Err(EnqueueError::Contended { kind: J::KIND })
}

/// Enqueues many jobs of a kind, in the caller's transaction and in their order; the answers stand in the same order.
///
/// # Errors
/// See [`EnqueueError`]; nothing is enqueued then, once the caller rolls back.
pub async fn enqueue_many<J: Job>(conn: &mut PgConnection, jobs: &[J]) -> Result<Vec<Enqueued>, EnqueueError> {
    enqueue_many_at(conn, jobs, J::PRIORITY).await
}

/// As [`enqueue_many`], at another priority than their kind's.
///
/// # Errors
/// See [`EnqueueError`]; nothing is enqueued then, once the caller rolls back.
pub async fn enqueue_many_at<J: Job>(
    conn: &mut PgConnection,
    jobs: &[J],
    priority: i16,
) -> Result<Vec<Enqueued>, EnqueueError> {
    let mut enqueued = Vec::with_capacity(jobs.len());
    for batch in jobs.chunks(BATCH) {
        enqueued.extend(enqueue_batch(conn, batch, priority).await?);
    }
    if enqueued.iter().any(|job| !job.existing) {
        sqlx::query!("SELECT pg_notify($1, $2)", JOBS_CHANNEL, J::QUEUE).execute(conn).await?;
    }
    Ok(enqueued)
}

async fn enqueue_batch<J: Job>(
    conn: &mut PgConnection,
    jobs: &[J],
    priority: i16,
) -> Result<Vec<Enqueued>, EnqueueError> {
    let ids: Vec<Uuid> = jobs.iter().map(|_| Uuid::now_v7()).collect();
    let tenants: Vec<Uuid> = jobs.iter().map(|job| job.tenant().unwrap_or_default()).collect();
    let payloads = jobs.iter().map(payload).collect::<Result<Vec<String>, _>>()?;
    let keys: Vec<Option<String>> = jobs.iter().map(Job::unique_key).collect();
    let groups: Vec<String> = jobs.iter().map(|job| job.group().unwrap_or_default()).collect();
    // Ids come back only of jobs with a unique key: the others cannot have been there before.
    let keyed_new = sqlx::query_scalar!(
        r#"WITH new AS (
             INSERT INTO job (id, tenant, priority, max_attempts, outcome_ttl_s, kind, queue, payload, unique_key,
                              concurrency_group)
             SELECT j.id, j.tenant, $1, $2, $3, $4, $5, j.payload, j.unique_key, j.concurrency_group
               FROM unnest($6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[])
                    AS j(id, tenant, payload, unique_key, concurrency_group)
             ON CONFLICT (kind, tenant, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
             RETURNING id, unique_key)
           SELECT id FROM new WHERE unique_key IS NOT NULL"#,
        priority,
        J::MAX_ATTEMPTS,
        ttl_seconds(J::OUTCOME_TTL),
        J::KIND,
        J::QUEUE,
        &ids,
        &tenants,
        &payloads,
        &keys as &[Option<String>],
        &groups,
    )
    .fetch_all(&mut *conn)
    .await?;
    if keys.iter().all(Option::is_none) {
        return Ok(ids.into_iter().map(|id| Enqueued { id: JobId::from(id), existing: false }).collect());
    }
    resolve(conn, jobs, &ids, &keyed_new).await
}

/// Finds, for those of a batch whose unique key was taken, the job that holds it.
async fn resolve<J: Job>(
    conn: &mut PgConnection,
    jobs: &[J],
    ids: &[Uuid],
    inserted: &[Uuid],
) -> Result<Vec<Enqueued>, EnqueueError> {
    let inserted: std::collections::HashSet<&Uuid> = inserted.iter().collect();
    let (tenants, keys): (Vec<Uuid>, Vec<String>) =
        jobs.iter().filter_map(|job| Some((job.tenant().unwrap_or_default(), job.unique_key()?))).unzip();
    let holders: HashMap<(Uuid, String), Uuid> = sqlx::query!(
        r#"SELECT j.id, j.tenant, j.unique_key AS "unique_key!"
             FROM unnest($2::uuid[], $3::text[]) AS k(tenant, unique_key)
             JOIN job j ON j.kind = $1 AND j.tenant = k.tenant AND j.unique_key = k.unique_key"#,
        J::KIND,
        &tenants,
        &keys,
    )
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .map(|row| ((row.tenant, row.unique_key), row.id))
    .collect();

    let mut enqueued = Vec::with_capacity(jobs.len());
    for (job, id) in jobs.iter().zip(ids) {
        let holder = match job.unique_key() {
            Some(key) if !inserted.contains(id) => holders.get(&(job.tenant().unwrap_or_default(), key)),
            _ => Some(id),
        };
        enqueued.push(match holder {
            Some(holder) => Enqueued { id: JobId::from(*holder), existing: holder != id },
            // It ended between the two statements: this one takes its place.
            None => enqueue(conn, job).await?,
        });
    }
    Ok(enqueued)
}

async fn holder(conn: &mut PgConnection, kind: &str, tenant: Uuid, key: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM job WHERE kind = $1 AND tenant = $2 AND unique_key = $3", kind, tenant, key)
        .fetch_optional(conn)
        .await
}

fn payload<J: Job>(job: &J) -> Result<String, EnqueueError> {
    serde_json::to_string(job).map_err(|source| EnqueueError::Payload { kind: J::KIND, source })
}

/// Whole seconds as the column holds them; more than it can hold is the most it can.
fn ttl_seconds(ttl: Duration) -> i32 {
    i32::try_from(ttl.as_secs()).unwrap_or(i32::MAX)
}
