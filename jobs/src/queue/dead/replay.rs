//! Running dead jobs again.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Locked, lock};
use crate::ids::JobId;
use crate::queue::signals::JOBS_CHANNEL;

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The dead job runs again.
    Enqueued(Replayed),
    /// It is being replayed already, as this job.
    Running(JobId),
    /// A job with its unique key waits or runs (this one, unless it ended just now); replaying it would do that work twice.
    Superseded(Option<JobId>),
    /// It is not dead: it waits or runs.
    Alive,
    /// No such job is dead.
    NotDead,
}

/// A dead job that runs again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The job that is new.
    pub id: JobId,
    /// The dead job.
    pub dead_id: JobId,
    /// Whose it is; the nil UUID is the platform itself.
    pub tenant: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
}

/// Replays a dead job with a fresh budget, in the caller's transaction.
///
/// # Errors
/// When the database refuses.
pub async fn replay(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Replay> {
    match lock(conn, id).await? {
        Locked::Dead => {}
        Locked::BeingReplayed(replay) => return Ok(Replay::Running(replay)),
        Locked::Alive => return Ok(Replay::Alive),
        Locked::Absent => return Ok(Replay::NotDead),
    }
    if let Some(replayed) = enqueue_again(conn, &[id.uuid()]).await?.pop() {
        return Ok(Replay::Enqueued(replayed));
    }
    let holder = sqlx::query_scalar!(
        "SELECT j.id FROM job j JOIN dead_job d USING (kind, tenant, unique_key) WHERE d.id = $1",
        id.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(Replay::Superseded(holder.map(JobId::from)))
}

/// Enqueues dead jobs anew whose rows the caller has locked, and of which none is being replayed. Those whose unique key is
/// taken are left out.
pub(in crate::queue) async fn enqueue_again(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Replayed>> {
    let new: Vec<Uuid> = ids.iter().map(|_| Uuid::now_v7()).collect();
    // In the order of their keys: two transactions that both want the same ones do not wait for each other crosswise.
    // Postgres folds notifications of one transaction that say the same into one.
    let replayed = sqlx::query!(
        r#"WITH new AS (
             INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, unique_key, concurrency_group,
                              request_id, trace_parent, replay_of)
             SELECT again.new_id, d.tenant, d.priority, d.max_attempts, d.kind, d.queue, d.payload, d.unique_key,
                    d.concurrency_group, d.request_id, d.trace_parent, d.id
               FROM unnest($1::uuid[], $2::uuid[]) AS again(id, new_id) JOIN dead_job d ON d.id = again.id
              ORDER BY d.kind, d.tenant, d.unique_key, d.id
             ON CONFLICT (kind, tenant, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
             RETURNING id, tenant, kind, queue, replay_of),
           marked AS (
             UPDATE dead_job d SET replay_job_id = new.id, replayed_at = now() FROM new WHERE d.id = new.replay_of)
           SELECT id, tenant, kind, queue, replay_of AS "dead_id!", pg_notify($3, queue) AS told FROM new"#,
        ids,
        &new,
        JOBS_CHANNEL,
    )
    .fetch_all(conn)
    .await?;
    let replayed = replayed.into_iter().map(|row| Replayed {
        id: JobId::from(row.id),
        dead_id: JobId::from(row.dead_id),
        tenant: row.tenant,
        kind: row.kind,
        queue: row.queue,
    });
    Ok(replayed.collect())
}
