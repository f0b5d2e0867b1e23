//! Writing down how jobs ended.
//!
//! Every statement names the claim (worker, job, number of the claim) and changes a row only while that claim stands,
//! so writing a settlement twice, or after the job was rescued, changes nothing; the answer says how many stood.
//! Therefore a worker may repeat a batch whose answer it never got.

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::claim::Claim;
use super::signals::{JOBS_CHANNEL, OUTCOMES_CHANNEL, ROOM_CHANNEL};
use super::verdict::{Failure, Verdict};

/// How one job ended.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The right to say so.
    pub claim: Claim,
    /// Whether rows elsewhere hang on the job, see [`Claimed::has_trail`](super::Claimed::has_trail).
    pub has_trail: bool,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What a batch of settlements did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Settlements that took effect.
    pub applied: usize,
    /// Settlements that changed nothing, because the claim did not stand any more.
    pub stale: usize,
}

/// Settles a batch, all of it or (on an error) nothing.
///
/// # Errors
/// When the database refuses; the same batch may then be given again.
pub async fn settle(conn: &mut PgConnection, batch: &[Settlement]) -> sqlx::Result<Settled> {
    let mut sorted = Sorted::default();
    for settlement in batch {
        sorted.add(settlement);
    }
    let applied = if sorted.is_bare() {
        // The hot path: one statement, its own transaction.
        complete(conn, &sorted.bare).await?
    } else {
        let mut tx = conn.begin().await?;
        let applied = sorted.apply(&mut tx).await?;
        tx.commit().await?;
        applied
    };
    Ok(Settled { applied, stale: batch.len() - applied })
}

/// A batch by what has to be written, in columns.
#[derive(Default)]
struct Sorted {
    bare: Fences,
    done: Fences,
    results: Vec<Value>,
    requeued: Fences,
    delays_ms: Vec<Option<i64>>,
    refunds: Vec<i16>,
    requeue_failures: Failures,
    dead: Fences,
    reasons: Vec<String>,
    dead_failures: Failures,
    ended: Fences,
    end_failures: Failures,
}

#[derive(Default)]
struct Fences {
    workers: Vec<Uuid>,
    ids: Vec<Uuid>,
    claim_nos: Vec<i32>,
}

impl Fences {
    fn push(&mut self, claim: Claim) {
        self.workers.push(claim.worker);
        self.ids.push(claim.id.uuid());
        self.claim_nos.push(claim.claim_no);
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn append(&mut self, mut other: Self) {
        self.workers.append(&mut other.workers);
        self.ids.append(&mut other.ids);
        self.claim_nos.append(&mut other.claim_nos);
    }
}

#[derive(Default)]
struct Failures {
    classes: Vec<Option<String>>,
    errors: Vec<Option<String>>,
    details: Vec<Option<Value>>,
}

impl Failures {
    /// A job that was cancelled has no class of failure.
    fn push_reason(&mut self, reason: &str) {
        self.classes.push(None);
        self.errors.push(Some(reason.to_owned()));
        self.details.push(None);
    }

    fn push(&mut self, failure: Option<&Failure>) {
        self.classes.push(failure.map(|f| f.error_class.to_string()));
        self.errors.push(failure.map(|f| f.error.clone()));
        self.details.push(failure.and_then(|f| f.details.clone()));
    }
}

impl Sorted {
    fn add(&mut self, settlement: &Settlement) {
        let claim = settlement.claim;
        match &settlement.verdict {
            Verdict::Done(_) if !settlement.has_trail => self.bare.push(claim),
            Verdict::Done(value) => {
                self.done.push(claim);
                self.results.push(value.clone());
            }
            Verdict::Retry { delay, failure } => self.requeue(claim, Some(*delay), 0, Some(failure)),
            Verdict::Snooze { delay } => self.requeue(claim, Some(*delay), 1, None),
            Verdict::HandBack => self.requeue(claim, None, 1, None),
            Verdict::Dead { reason, failure } => {
                self.dead.push(claim);
                self.reasons.push(reason.as_str().to_owned());
                self.dead_failures.push(Some(failure));
            }
            Verdict::Refused { failure } => {
                self.ended.push(claim);
                self.end_failures.push(Some(failure));
            }
            Verdict::Cancelled { reason } => {
                self.ended.push(claim);
                self.end_failures.push_reason(reason);
            }
        }
    }

    fn requeue(&mut self, claim: Claim, delay: Option<std::time::Duration>, refund: i16, failure: Option<&Failure>) {
        self.requeued.push(claim);
        self.delays_ms.push(delay.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)));
        self.refunds.push(refund);
        self.requeue_failures.push(failure);
    }

    fn is_bare(&self) -> bool {
        self.done.len() + self.requeued.len() + self.dead.len() + self.ended.len() == 0
    }

    async fn apply(mut self, conn: &mut PgConnection) -> sqlx::Result<usize> {
        let mut applied = 0;
        if self.bare.len() > 0 {
            applied += complete(conn, &self.bare).await?;
        }
        let mut trail = Trail::default();
        if self.done.len() > 0 {
            trail.add(finish(conn, &self.done, &self.results).await?);
        }
        // Whoever was asked to cancel is neither tried again nor dead: those two leave such jobs to `end`.
        let mut maybe_cancelled = Fences::default();
        if self.requeued.len() > 0 && trail.add(requeue(conn, &self).await?) < self.requeued.len() {
            maybe_cancelled.append(std::mem::take(&mut self.requeued));
        }
        if self.dead.len() > 0 && trail.add(bury(conn, &self).await?) < self.dead.len() {
            maybe_cancelled.append(std::mem::take(&mut self.dead));
        }
        if maybe_cancelled.len() > 0 {
            let mut reasons = Failures::default();
            (0..maybe_cancelled.len()).for_each(|_| reasons.push_reason("cancelled on request"));
            trail.add(end(conn, &maybe_cancelled, &reasons, Only::Requested).await?);
        }
        if self.ended.len() > 0 {
            trail.add(end(conn, &self.ended, &self.end_failures, Only::Claimed).await?);
        }
        if !trail.slots.is_empty() {
            free(conn, &trail).await?;
        }
        Ok(applied + trail.jobs)
    }
}

/// What a statement wrote: so many jobs do not run any more, which were counted in these slots, from these queues.
struct Written {
    jobs: i64,
    slots: Option<Vec<String>>,
    queues: Option<Vec<String>>,
}

/// The sum of what was written.
#[derive(Default)]
struct Trail {
    jobs: usize,
    slots: Vec<String>,
    queues: Vec<String>,
}

impl Trail {
    /// Adds to it; says how many jobs were added.
    fn add(&mut self, written: Written) -> usize {
        let jobs = usize::try_from(written.jobs).unwrap_or_default();
        self.jobs += jobs;
        self.slots.extend(written.slots.into_iter().flatten());
        self.queues.extend(written.queues.into_iter().flatten());
        jobs
    }
}

/// Makes room in the limits in which these jobs were counted, and wakes whoever may use it. Last of all, because the
/// counters stay locked until the transaction ends.
async fn free(conn: &mut PgConnection, trail: &Trail) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH freed AS MATERIALIZED (SELECT concurrency_free($1))
         SELECT pg_notify($2, queue) AS told FROM freed, (SELECT DISTINCT unnest($3::text[]) AS queue) q",
        &trail.slots,
        ROOM_CHANNEL,
        &trail.queues,
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Deletes succeeded jobs on which nothing else hangs.
async fn complete(conn: &mut PgConnection, jobs: &Fences) -> sqlx::Result<usize> {
    let completed = sqlx::query_scalar!(
        r#"SELECT queue_complete($1, $2, $3) AS "completed!""#,
        &jobs.workers,
        &jobs.ids,
        &jobs.claim_nos
    )
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(completed).unwrap_or_default())
}

/// Deletes succeeded jobs with their earlier errors and the dead jobs that they replayed, and keeps their outcomes
/// where somebody may wait for them.
async fn finish(conn: &mut PgConnection, jobs: &Fences, results: &[Value]) -> sqlx::Result<Written> {
    sqlx::query_as!(
        Written,
        r#"WITH gone AS (
             DELETE FROM job j USING unnest($1::uuid[], $2::uuid[], $3::int[], $4::jsonb[]) AS s(worker, id, claim_no, result)
              WHERE j.id = s.id AND j.claimed_by = s.worker AND j.claim_no = s.claim_no
             RETURNING j.id, j.queue, j.slots, j.outcome_ttl_s, j.replay_of, s.result),
           errors AS (DELETE FROM job_error e USING gone WHERE e.job_id = gone.id),
           replayed AS (DELETE FROM dead_job d USING gone WHERE d.id = gone.replay_of),
           kept AS (
             INSERT INTO job_outcome (job_id, state, result, expires_at)
             SELECT id, 'done', result, now() + make_interval(secs => outcome_ttl_s) FROM gone WHERE outcome_ttl_s > 0
             RETURNING pg_notify($5, job_id::text))
           SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM kept) AS "jobs!",
                  (SELECT array_agg(slot) FROM gone, unnest(slots) slot) AS slots,
                  (SELECT array_agg(DISTINCT queue) FROM gone WHERE slots IS NOT NULL) AS queues"#,
        &jobs.workers,
        &jobs.ids,
        &jobs.claim_nos,
        results,
        OUTCOMES_CHANNEL,
    )
    .fetch_one(conn)
    .await
}

/// Puts jobs back, with their errors if they failed, and wakes whoever may run them at once.
async fn requeue(conn: &mut PgConnection, sorted: &Sorted) -> sqlx::Result<Written> {
    sqlx::query_as!(
        Written,
        r#"WITH given AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::smallint[], $6::text[],
                                  $7::text[], $8::jsonb[])
                      AS s(worker, id, claim_no, delay_ms, refund, error_class, error, details)),
           back AS (
             UPDATE job j
                SET claimed_by = NULL, claimed_at = NULL, slots = NULL, attempt = j.attempt - s.refund,
                    run_at = coalesce(now() + s.delay_ms * interval '1 millisecond', j.run_at)
               FROM given s JOIN job was ON was.id = s.id
              WHERE j.id = s.id AND j.claimed_by = s.worker AND j.claim_no = s.claim_no AND j.cancel_at IS NULL
             RETURNING j.id, j.queue, was.slots, j.run_at, j.attempt, s.worker, s.claim_no, s.error_class, s.error, s.details),
           failed AS (
             INSERT INTO job_error (job_id, claim_no, attempt, worker_id, error_class, error, details)
             SELECT id, claim_no, attempt, worker, error_class, error, details FROM back WHERE error_class IS NOT NULL),
           woken AS (
             SELECT pg_notify($9, queue) FROM back WHERE run_at <= now() GROUP BY queue)
           SELECT (SELECT count(*) FROM back) + 0 * (SELECT count(*) FROM woken) AS "jobs!",
                  (SELECT array_agg(slot) FROM back, unnest(slots) slot) AS slots,
                  (SELECT array_agg(DISTINCT queue) FROM back WHERE slots IS NOT NULL) AS queues"#,
        &sorted.requeued.workers,
        &sorted.requeued.ids,
        &sorted.requeued.claim_nos,
        &sorted.delays_ms as &[Option<i64>],
        &sorted.refunds,
        &sorted.requeue_failures.classes as &[Option<String>],
        &sorted.requeue_failures.errors as &[Option<String>],
        &sorted.requeue_failures.details as &[Option<Value>],
        JOBS_CHANNEL,
    )
    .fetch_one(conn)
    .await
}

/// Moves jobs to the dead, with every attempt's error and, of a replay, its ancestors'.
async fn bury(conn: &mut PgConnection, sorted: &Sorted) -> sqlx::Result<Written> {
    sqlx::query_as!(
        Written,
        r#"WITH gone AS (
             DELETE FROM job j
              USING unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
                    AS s(worker, id, claim_no, reason, error_class, error, details)
              WHERE j.id = s.id AND j.claimed_by = s.worker AND j.claim_no = s.claim_no AND j.cancel_at IS NULL
             RETURNING j.*, s.reason, s.error_class, s.error, s.details),
           earlier AS (
             DELETE FROM job_error e USING gone WHERE e.job_id = gone.id
             RETURNING e.*),
           ancestor AS (
             DELETE FROM dead_job d USING gone WHERE d.id = gone.replay_of
             RETURNING d.id, d.errors, d.lineage),
           buried AS (
             INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, unique_key,
                                   concurrency_group, request_id, trace_parent, reason, error_class, error, errors, lineage)
             SELECT g.id, g.tenant, g.kind, g.queue, g.priority, g.attempt, g.max_attempts, g.payload, g.unique_key,
                    g.concurrency_group, g.request_id, g.trace_parent, g.reason, g.error_class, g.error,
                    coalesce(a.errors, '[]')
                      || coalesce((SELECT jsonb_agg(to_jsonb(e) - 'claim_no' ORDER BY e.claim_no)
                                     FROM earlier e WHERE e.job_id = g.id), '[]')
                      || jsonb_build_object('job_id', g.id, 'attempt', g.attempt, 'failed_at', now(), 'worker_id',
                           g.claimed_by, 'error_class', g.error_class, 'error', g.error, 'details', g.details),
                    CASE WHEN a.id IS NULL THEN '{}' ELSE a.lineage || a.id END
               FROM gone g LEFT JOIN ancestor a ON a.id = g.replay_of),
           kept AS (
             INSERT INTO job_outcome (job_id, state, error_class, error, details, expires_at)
             SELECT id, 'failed', error_class, error, details, now() + make_interval(secs => outcome_ttl_s)
               FROM gone WHERE outcome_ttl_s > 0
             RETURNING pg_notify($8, job_id::text))
           SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM kept) AS "jobs!",
                  (SELECT array_agg(slot) FROM gone, unnest(slots) slot) AS slots,
                  (SELECT array_agg(DISTINCT queue) FROM gone WHERE slots IS NOT NULL) AS queues"#,
        &sorted.dead.workers,
        &sorted.dead.ids,
        &sorted.dead.claim_nos,
        &sorted.reasons,
        &sorted.dead_failures.classes as &[Option<String>],
        &sorted.dead_failures.errors as &[Option<String>],
        &sorted.dead_failures.details as &[Option<Value>],
        OUTCOMES_CHANNEL,
    )
    .fetch_one(conn)
    .await
}

/// Which of the named jobs to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    /// All whose claim stands.
    Claimed,
    /// Those of them that somebody asked to cancel.
    Requested,
}

/// Ends jobs without a death: cancelled, or failed where there is a class of failure. A dead job that one of them replayed
/// may be replayed again.
async fn end(conn: &mut PgConnection, jobs: &Fences, why: &Failures, only: Only) -> sqlx::Result<Written> {
    sqlx::query_as!(
        Written,
        r#"WITH gone AS (
             DELETE FROM job j
              USING unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::jsonb[])
                    AS s(worker, id, claim_no, error_class, error, details)
              WHERE j.id = s.id AND j.claimed_by = s.worker AND j.claim_no = s.claim_no
                AND (j.cancel_at IS NOT NULL OR NOT $7)
             RETURNING j.id, j.queue, j.slots, j.outcome_ttl_s, j.replay_of, s.error_class, s.error, s.details),
           errors AS (DELETE FROM job_error e USING gone WHERE e.job_id = gone.id),
           released AS (
             UPDATE dead_job d SET replay_job_id = NULL, replayed_at = NULL FROM gone
              WHERE d.id = gone.replay_of AND d.replay_job_id = gone.id),
           kept AS (
             INSERT INTO job_outcome (job_id, state, error_class, error, details, expires_at)
             SELECT id, CASE WHEN error_class IS NULL THEN 'cancelled' ELSE 'failed' END, error_class, error, details,
                    now() + make_interval(secs => outcome_ttl_s)
               FROM gone WHERE outcome_ttl_s > 0
             RETURNING pg_notify($8, job_id::text))
           SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM kept) AS "jobs!",
                  (SELECT array_agg(slot) FROM gone, unnest(slots) slot) AS slots,
                  (SELECT array_agg(DISTINCT queue) FROM gone WHERE slots IS NOT NULL) AS queues"#,
        &jobs.workers,
        &jobs.ids,
        &jobs.claim_nos,
        &why.classes as &[Option<String>],
        &why.errors as &[Option<String>],
        &why.details as &[Option<Value>],
        only == Only::Requested,
        OUTCOMES_CHANNEL,
    )
    .fetch_one(conn)
    .await
}
