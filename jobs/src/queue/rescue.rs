//! Taking back what lost workers held, and forgetting what nobody asks for any more.
//!
//! Any process may do it at any time, several at once: a lost worker's row is locked by one of them and skipped by
//! the others. The lost attempt counts, so a job that kills its process comes back only as often as its budget says.
//!
//! A handler may hold its job in an open transaction ([`hold`](super::hold)) when its process freezes or is cut off. Such a
//! job cannot be taken until Postgres gives up that connection, which may be hours; the worker's others can, and are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};

use super::claim::held_by;
use super::settle::{Settlement, settle};
use super::verdict::{Failure, Verdict};
use crate::db::batches::Batch;
use crate::domain::DeathReason;

/// Lost workers handled in one transaction.
const WORKERS_AT_ONCE: i64 = 1;

/// What a rescue did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Workers given up.
    pub workers: usize,
    /// Their jobs that will be tried again.
    pub requeued: usize,
    /// Their jobs that had no attempt left, or were to be cancelled.
    pub ended: usize,
}

/// Gives up every worker that was silent for longer than `lease`, and requeues or buries what it held.
///
/// # Errors
/// When the database refuses; what was rescued until then stays rescued.
pub async fn rescue(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Rescued> {
    let mut total = Rescued::default();
    // Looked at once each: one of whose jobs are still held stays.
    let mut seen = Vec::new();
    loop {
        let mut tx = conn.begin().await?;
        // The lock waits for nobody: a claim that holds the row in share mode, or another rescuer, is met next time.
        let lost = sqlx::query!(
            "SELECT id, name, queues FROM worker WHERE beat_at < now() - make_interval(secs => $1) AND id <> ALL($3)
              ORDER BY beat_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            lease.as_secs_f64(),
            WORKERS_AT_ONCE,
            &seen,
        )
        .fetch_all(&mut *tx)
        .await?;
        if lost.is_empty() {
            return Ok(total);
        }
        for worker in lost {
            let mut batch = Vec::new();
            for held in held_by(&mut tx, worker.id, &worker.queues).await? {
                let failure = Failure::new(
                    "worker_lost",
                    format!("worker {} ({}) fell silent during attempt {}", worker.name, worker.id, held.attempt),
                );
                let verdict = if held.attempt < held.max_attempts {
                    total.requeued += 1;
                    Verdict::Retry { delay: Duration::ZERO, failure }
                } else {
                    total.ended += 1;
                    Verdict::Dead { reason: DeathReason::WorkerLost, failure }
                };
                batch.push(Settlement { claim: held.claim, has_trail: true, verdict });
            }
            settle(&mut tx, &batch).await?;
            let given_up = sqlx::query!(
                "DELETE FROM worker w WHERE w.id = $1
                    AND NOT EXISTS (SELECT FROM job j WHERE j.queue = ANY(w.queues) AND j.claimed_by = w.id)",
                worker.id
            )
            .execute(&mut *tx)
            .await?
            .rows_affected();
            total.workers += usize::try_from(given_up).unwrap_or_default();
            seen.push(worker.id);
            if given_up > 0 || !batch.is_empty() {
                tracing::warn!(worker = %worker.id, name = worker.name, jobs = batch.len(), "worker lost, jobs rescued");
            }
        }
        tx.commit().await?;
    }
}

/// Deletes up to `most` outcomes that nobody will ask for any more, from those of a time on.
///
/// # Errors
/// When the database refuses.
pub async fn expire_outcomes(
    conn: &mut PgConnection,
    from: Option<DateTime<Utc>>,
    most: i64,
) -> sqlx::Result<Batch<Option<DateTime<Utc>>>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM job_outcome WHERE job_id = ANY (ARRAY(
           SELECT job_id FROM job_outcome WHERE expires_at < now() AND expires_at >= coalesce($1::timestamptz, '-infinity')
            ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
         RETURNING expires_at",
        from,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(Batch::of(gone.len(), most, || Some(gone.into_iter().max())))
}
