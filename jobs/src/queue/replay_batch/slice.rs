//! One step of a batch.

use std::ops::Range;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{ReplayBatch, get};
use crate::ids::ReplayBatchId;
use crate::queue::dead::{Replayed, enqueue_again};

/// Dead jobs of one transaction at most.
const MOST: f64 = 500.0;
/// Slices of a paced batch come so often, in seconds, unless each job has longer than that.
const EVERY: f64 = 0.25;

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub enum Slice {
    /// It replayed these; the batch stands so now.
    Taken {
        /// The replays.
        replayed: Vec<Replayed>,
        /// The batch after it.
        batch: Box<ReplayBatch>,
        /// When the rate allows the next slice.
        pause: Duration,
    },
    /// The rate does not allow one yet.
    TooEarly(Duration),
    /// The batch was done or cancelled before.
    Over,
    /// There is no such batch (any more).
    Absent,
}

/// Replays the next slice of a batch, in the caller's transaction, which must hold the claim of the batch's job.
///
/// # Errors
/// When the database refuses.
pub async fn slice(conn: &mut PgConnection, id: ReplayBatchId) -> sqlx::Result<Slice> {
    // The row's lock lets one step at a time, and a cancellation between two of them.
    let Some(batch) = sqlx::query!(
        r#"SELECT handled, rate, finished_at IS NOT NULL AS "is_over!",
                  extract(epoch FROM next_at - now())::float8 AS early_s
             FROM replay_batch WHERE id = $1 FOR UPDATE"#,
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?
    else {
        return Ok(Slice::Absent);
    };
    if batch.is_over {
        return Ok(Slice::Over);
    }
    if let Some(early_s) = batch.early_s.filter(|early_s| *early_s > 0.0) {
        return Ok(Slice::TooEarly(Duration::from_secs_f64(early_s)));
    }
    let size = batch.rate.map_or(MOST, |rate| (rate * EVERY).ceil().clamp(1.0, MOST));
    let turn: Vec<Uuid> = sqlx::query_scalar!(
        "SELECT dead_job_id FROM replay_batch_item WHERE batch_id = $1 AND seq > $2 ORDER BY seq LIMIT $3::float8::bigint",
        id.uuid(),
        batch.handled,
        size,
    )
    .fetch_all(&mut *conn)
    .await?;
    // In the order of ids, as every other batch does; one that is being replayed is somebody else's and not waited for.
    let still_dead = sqlx::query_scalar!(
        "SELECT id FROM dead_job WHERE id = ANY($1) AND replay_job_id IS NULL ORDER BY id FOR UPDATE",
        &turn,
    )
    .fetch_all(&mut *conn)
    .await?;
    let replayed = enqueue_again(conn, &still_dead).await?;
    note(conn, id, &turn, (&still_dead, &replayed)).await?;
    let through = batch.handled + i64::try_from(turn.len()).unwrap_or_default();
    let pause = move_on(conn, id, batch.handled..through, replayed.len()).await?;
    let batch = get(conn, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Slice::Taken { replayed, batch: Box::new(batch), pause })
}

/// Writes at the items of a slice what became of them.
async fn note(
    conn: &mut PgConnection,
    id: ReplayBatchId,
    turn: &[Uuid],
    (still_dead, replayed): (&[Uuid], &[Replayed]),
) -> sqlx::Result<()> {
    let (dead, new): (Vec<Uuid>, Vec<Uuid>) = replayed.iter().map(|job| (job.dead_id.uuid(), job.id.uuid())).unzip();
    sqlx::query!(
        "UPDATE replay_batch_item i
            SET replay_job_id = r.new_id,
                skipped = CASE WHEN r.new_id IS NOT NULL THEN NULL
                               WHEN i.dead_job_id = ANY($3) THEN 'superseded'
                               ELSE coalesce(i.skipped, 'already_replayed') END
           FROM unnest($2::uuid[]) AS turn(id)
           LEFT JOIN unnest($4::uuid[], $5::uuid[]) AS r(id, new_id) ON r.id = turn.id
          WHERE i.batch_id = $1 AND i.dead_job_id = turn.id",
        id.uuid(),
        turn,
        still_dead,
        &dead,
        &new,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the progress over the items of a slice, ends the batch after its last one, and says when the next may come.
async fn move_on(
    conn: &mut PgConnection,
    id: ReplayBatchId,
    turns: Range<i64>,
    replayed: usize,
) -> sqlx::Result<Duration> {
    // A batch that was held up (a worker lost, a queue paused) does not make up for it with a flood: what was missed is
    // forgiven but for a second's worth.
    let early_s = sqlx::query_scalar!(
        "UPDATE replay_batch b
            SET handled = $3, replayed = b.replayed + $4, superseded = b.superseded + s.superseded,
                already_replayed = b.already_replayed + s.already_replayed, discarded = b.discarded + s.discarded,
                expired = b.expired + s.expired, started_at = coalesce(b.started_at, now()),
                state = CASE WHEN $3 >= b.total THEN 'done' ELSE 'running' END,
                finished_at = CASE WHEN $3 >= b.total THEN now() END,
                next_at = greatest(coalesce(b.next_at, now()), now() - interval '1 second')
                          + $4::bigint / b.rate * interval '1 second'
           FROM (SELECT count(*) FILTER (WHERE skipped = 'superseded') AS superseded,
                        count(*) FILTER (WHERE skipped = 'already_replayed') AS already_replayed,
                        count(*) FILTER (WHERE skipped = 'discarded') AS discarded,
                        count(*) FILTER (WHERE skipped = 'expired') AS expired
                   FROM replay_batch_item WHERE batch_id = $1 AND seq > $2 AND seq <= $3) AS s
          WHERE b.id = $1
         RETURNING extract(epoch FROM b.next_at - now())::float8 AS early_s",
        id.uuid(),
        turns.start,
        turns.end,
        i64::try_from(replayed).unwrap_or(i64::MAX),
    )
    .fetch_one(conn)
    .await?;
    Ok(Duration::from_secs_f64(early_s.unwrap_or_default().max(0.0)))
}
