//! The ledger of `plumbline bench chaos`, and those of its faults that are SQL.
//!
//! It lives in a schema of its own, which only that command creates, so its queries are not checked against the product's
//! schema. No table has a unique constraint on what must be unique: a second effect shall be found, not prevented.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgExecutor};
use std::time::Duration;
use uuid::Uuid;

/// Lets the server accept so many connections from its next start on.
///
/// # Errors
/// When the database refuses.
pub async fn limit_connections(conn: &mut PgConnection, connections: u32) -> sqlx::Result<()> {
    // A setting is no place for a parameter.
    let sql = format!("ALTER SYSTEM SET max_connections = {connections}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Creates the ledger.
///
/// # Errors
/// When the database refuses.
pub async fn create(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "CREATE SCHEMA chaos;
         CREATE TABLE chaos.enqueued (job_id uuid PRIMARY KEY, kind text NOT NULL, ends_dead boolean NOT NULL);
         CREATE TABLE chaos.run (job_id uuid NOT NULL, attempt smallint NOT NULL, max_attempts smallint NOT NULL,
                                 pid integer NOT NULL);
         CREATE TABLE chaos.effect (job_id uuid NOT NULL, attempt smallint NOT NULL,
                                    at timestamptz NOT NULL DEFAULT clock_timestamp());
         CREATE INDEX ON chaos.effect (job_id);
         CREATE INDEX ON chaos.effect (at);
         CREATE TABLE chaos.note (what text NOT NULL, job_id uuid NOT NULL, pid integer NOT NULL);",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Jobs that the caller's transaction enqueues.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Their kind.
    pub kind: &'a str,
    /// Whether they must end among the dead.
    pub ends_dead: bool,
    /// Their ids.
    pub ids: &'a [Uuid],
}

/// Notes what the caller's transaction enqueues: a job exists for the ledger exactly when it does for the queue.
///
/// # Errors
/// When the database refuses.
pub async fn enqueued(conn: &mut PgConnection, batch: Batch<'_>) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO chaos.enqueued SELECT unnest($1::uuid[]), $2, $3")
        .bind(batch.ids)
        .bind(batch.kind)
        .bind(batch.ends_dead)
        .execute(conn)
        .await?;
    Ok(())
}

/// One execution of a job.
#[derive(Debug, Clone, Copy)]
pub struct Execution {
    /// The job.
    pub job_id: Uuid,
    /// The attempt, from 1.
    pub attempt: i16,
    /// Its budget.
    pub max_attempts: i16,
    /// The process that runs it.
    pub pid: i32,
}

/// Notes that an execution began, outside of any fence.
///
/// # Errors
/// When the database refuses.
pub async fn ran(db: impl PgExecutor<'_>, execution: Execution) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO chaos.run VALUES ($1, $2, $3, $4)")
        .bind(execution.job_id)
        .bind(execution.attempt)
        .bind(execution.max_attempts)
        .bind(execution.pid)
        .execute(db)
        .await?;
    Ok(())
}

/// Records the job's effect unless its idempotency key, the job's id, is in the ledger already.
///
/// Two statements and no constraint, as handlers do it that trust the fence: without it, two executions at once would
/// both find nothing and both write.
///
/// # Errors
/// When the database refuses.
pub async fn take_effect(conn: &mut PgConnection, execution: Execution) -> sqlx::Result<()> {
    let done: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM chaos.effect WHERE job_id = $1)")
        .bind(execution.job_id)
        .fetch_one(&mut *conn)
        .await?;
    if !done {
        sqlx::query("INSERT INTO chaos.effect (job_id, attempt) VALUES ($1, $2)")
            .bind(execution.job_id)
            .bind(execution.attempt)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// What an execution may have to say besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The queue refused its effect, as its claim did not stand any more.
    Refused,
    /// More jobs of its queue ran in its process than the concurrency allows.
    Crowded,
}

/// Writes a note down.
///
/// # Errors
/// When the database refuses.
pub async fn note(db: impl PgExecutor<'_>, note: Note, execution: Execution) -> sqlx::Result<()> {
    let what = match note {
        Note::Refused => "refused",
        Note::Crowded => "crowded",
    };
    sqlx::query("INSERT INTO chaos.note VALUES ($1, $2, $3)")
        .bind(what)
        .bind(execution.job_id)
        .bind(execution.pid)
        .execute(db)
        .await?;
    Ok(())
}

/// When the first job ended after `since`.
///
/// # Errors
/// When the database refuses.
pub async fn first_effect_after(db: impl PgExecutor<'_>, since: DateTime<Utc>) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar("SELECT min(at) FROM chaos.effect WHERE at > $1").bind(since).fetch_one(db).await
}

/// Jobs that have not ended.
///
/// # Errors
/// When the database refuses.
pub async fn open_jobs(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM job").fetch_one(db).await
}

/// What has not ended, one line a job, for whoever must find out why.
///
/// # Errors
/// When the database refuses.
pub async fn describe_open_jobs(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', j.id, j.kind, 'attempt', j.attempt, 'of', j.max_attempts, 'run in', j.run_at - now(),
                          'claimed by', j.claimed_by, w.name, 'silent for', now() - w.beat_at)
           FROM job j LEFT JOIN worker w ON w.id = j.claimed_by ORDER BY j.id LIMIT 20",
    )
    .fetch_all(db)
    .await
}

/// The leases of a process.
///
/// # Errors
/// When the database refuses.
pub async fn leases_of(db: impl PgExecutor<'_>, pid: i32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("SELECT id FROM worker WHERE name LIKE '%:' || $1::text").bind(pid).fetch_all(db).await
}

/// The live processes that hold jobs of a queue, most first, by their names.
///
/// # Errors
/// When the database refuses.
pub async fn busiest_in(db: impl PgExecutor<'_>, queue: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT w.name FROM worker w JOIN job j ON j.claimed_by = w.id AND j.queue = $1
          WHERE w.beat_at > now() - interval '1 s' GROUP BY w.name ORDER BY count(*) DESC",
    )
    .bind(queue)
    .fetch_all(db)
    .await
}

/// What stopped processes left behind or spent: claims that still stand, and failures since `since` that are not the handlers'
/// own (`classes`).
///
/// # Errors
/// When the database refuses.
pub async fn spent_by(
    db: impl PgExecutor<'_>,
    leases: &[Uuid],
    since: DateTime<Utc>,
    classes: &[&str],
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM job WHERE claimed_by = ANY($1))
              + (SELECT count(*) FROM job_error WHERE worker_id = ANY($1) AND failed_at > $2 AND error_class <> ALL($3))",
    )
    .bind(leases)
    .bind(since)
    .bind(classes)
    .fetch_one(db)
    .await
}

/// Jobs whose enqueueing was acknowledged and of which the ledger knows nothing.
///
/// # Errors
/// When the database refuses.
pub async fn forgotten(db: impl PgExecutor<'_>, acknowledged: &[Uuid]) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM unnest($1::uuid[]) AS a(id) WHERE NOT EXISTS (SELECT FROM chaos.enqueued e WHERE e.job_id = a.id)",
    )
    .bind(acknowledged)
    .fetch_one(db)
    .await
}

/// What the ledger proves, once everything has ended.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct Tally {
    /// Jobs enqueued in a committed transaction.
    pub enqueued: i64,
    /// Executions that began.
    pub runs: i64,
    /// Jobs that ended with their effect.
    pub done: i64,
    /// Jobs that died as they must: all attempts spent, an error for each.
    pub dead_as_expected: i64,
    /// Jobs that ended in neither way.
    pub lost: i64,
    /// Jobs with more than one effect.
    pub doubled: i64,
    /// Effects and deaths of jobs that nobody enqueued.
    pub unheard_of: i64,
    /// Effects that the queue refused, as their claim did not stand any more.
    pub stale_refused: i64,
    /// Executions and deaths beyond the budget of attempts.
    pub over_budget: i64,
    /// Executions beyond a process's concurrency.
    pub over_concurrency: i64,
    /// Errors kept of jobs that are gone.
    pub orphaned_errors: i64,
}

/// Adds the ledger up.
///
/// # Errors
/// When the database refuses.
pub async fn tally(db: impl PgExecutor<'_>) -> sqlx::Result<Tally> {
    sqlx::query_as(
        "WITH effects AS (SELECT job_id, count(*) AS n FROM chaos.effect GROUP BY job_id),
              ended AS (
                SELECT e.job_id, f.n,
                       CASE WHEN e.ends_dead THEN d.id IS NOT NULL AND f.n IS NULL AND d.attempt = d.max_attempts
                                  AND jsonb_array_length(d.errors) = d.attempt
                                  AND (e.kind <> 'chaos_poison' OR d.reason = 'worker_lost')
                            ELSE f.n IS NOT NULL AND d.id IS NULL END AND j.id IS NULL AS as_expected,
                       e.ends_dead
                  FROM chaos.enqueued e
                  LEFT JOIN effects f USING (job_id)
                  LEFT JOIN dead_job d ON d.id = e.job_id
                  LEFT JOIN job j ON j.id = e.job_id)
         SELECT (SELECT count(*) FROM ended) AS enqueued,
                (SELECT count(*) FROM chaos.run) AS runs,
                (SELECT count(*) FROM ended WHERE as_expected AND NOT ends_dead) AS done,
                (SELECT count(*) FROM ended WHERE as_expected AND ends_dead) AS dead_as_expected,
                (SELECT count(*) FROM ended WHERE NOT as_expected) AS lost,
                (SELECT count(*) FROM effects WHERE n > 1) AS doubled,
                (SELECT count(*) FROM (SELECT job_id FROM effects UNION SELECT id FROM dead_job) x
                  WHERE NOT EXISTS (SELECT FROM chaos.enqueued e WHERE e.job_id = x.job_id)) AS unheard_of,
                (SELECT count(*) FROM chaos.note WHERE what = 'refused') AS stale_refused,
                (SELECT count(*) FROM chaos.run WHERE attempt > max_attempts)
                  + (SELECT count(*) FROM dead_job WHERE attempt > max_attempts OR jsonb_array_length(errors) > max_attempts)
                  AS over_budget,
                (SELECT count(*) FROM chaos.note WHERE what = 'crowded') AS over_concurrency,
                (SELECT count(*) FROM job_error e WHERE NOT EXISTS (SELECT FROM job j WHERE j.id = e.job_id)) AS orphaned_errors",
    )
    .fetch_one(db)
    .await
}

/// Some jobs that ended neither way, for whoever must find out why.
///
/// # Errors
/// When the database refuses.
pub async fn describe_lost(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', e.job_id, e.kind, 'runs', (SELECT count(*) FROM chaos.run r WHERE r.job_id = e.job_id),
                          'effects', (SELECT count(*) FROM chaos.effect f WHERE f.job_id = e.job_id),
                          'dead', d.reason, d.attempt, d.errors)
           FROM chaos.enqueued e LEFT JOIN dead_job d ON d.id = e.job_id
          WHERE ((d.id IS NULL) = e.ends_dead)
             OR (NOT e.ends_dead AND NOT EXISTS (SELECT FROM chaos.effect f WHERE f.job_id = e.job_id))
             OR (e.ends_dead AND (d.attempt <> d.max_attempts OR jsonb_array_length(d.errors) <> d.attempt))
          ORDER BY 1 LIMIT 20",
    )
    .fetch_all(db)
    .await
}

/// Ends about this share of the other backends of the database; how many.
///
/// # Errors
/// When the database refuses.
pub async fn terminate_backends(db: impl PgExecutor<'_>, share: f64) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            AND random() < $1",
    )
    .bind(share)
    .fetch_one(db)
    .await
}

/// Lets nobody near the job table for this long.
///
/// # Errors
/// When the database refuses.
pub async fn block_jobs(conn: &mut PgConnection, time: Duration) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::query("LOCK TABLE job IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await?;
    tokio::time::sleep(time).await;
    tx.commit().await
}

/// Keeps a snapshot for this long, so that vacuum can remove nothing that dies meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn hold_snapshot(conn: &mut PgConnection, time: Duration) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
    open_jobs(&mut *tx).await?;
    tokio::time::sleep(time).await;
    tx.commit().await
}
