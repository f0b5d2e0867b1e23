//! Freezing what a batch replays.

use std::ops::RangeInclusive;

use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{ReplayBatch, get};
use crate::audit::{Actor, Origin};
use crate::ids::ReplayBatchId;
use crate::kinds::replay_dead_jobs::ReplayDeadJobs;
use crate::queue::dead::Filter;
use crate::queue::{EnqueueError, Options, enqueue_with};

/// Dead jobs in one batch at most: a few seconds of writing.
pub const MOST_ITEMS: i64 = 1_000_000;

/// Jobs a second that a batch may be held to.
pub const RATES: RangeInclusive<f64> = 0.1..=1000.0;

/// A batch to be.
#[derive(Debug, Clone)]
pub struct NewBatch<'a> {
    /// Which dead jobs.
    pub filter: &'a Filter,
    /// Jobs a second at most, one of [`RATES`]; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Why.
    pub note: Option<&'a str>,
    /// Who.
    pub actor: &'a Actor,
    /// From where.
    pub origin: &'a Origin,
}

/// Why a batch was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is nothing to replay.
    #[error("no dead job matches the filter")]
    NothingMatches,
    /// There is too much.
    #[error("more than {MOST_ITEMS} dead jobs match the filter: narrow it, for instance by the time of death")]
    TooMany,
    /// Its job could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Creates a batch of the jobs that are dead now and match, and enqueues its job, in the caller's transaction.
///
/// # Errors
/// See [`CreateError`]; the caller then rolls back.
pub async fn create(conn: &mut PgConnection, new: &NewBatch<'_>) -> Result<ReplayBatch, CreateError> {
    let id = ReplayBatchId::new();
    sqlx::query!(
        "INSERT INTO replay_batch (id, filter, rate, note, created_by, origin) VALUES ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        Json(new.filter) as _,
        new.rate,
        new.note,
        Json(new.actor) as _,
        Json(new.origin) as _,
    )
    .execute(&mut *conn)
    .await?;
    let mut freeze =
        QueryBuilder::<Postgres>::new("INSERT INTO replay_batch_item (batch_id, seq, dead_job_id) SELECT ");
    freeze.push_bind(id.uuid()).push(", row_number() OVER (ORDER BY died_at, id), id FROM dead_job");
    new.filter.push(&mut freeze);
    freeze.push(" LIMIT ").push_bind(MOST_ITEMS + 1);
    let total = freeze.build().execute(&mut *conn).await?.rows_affected().cast_signed();
    match total {
        0 => return Err(CreateError::NothingMatches),
        _ if total > MOST_ITEMS => return Err(CreateError::TooMany),
        _ => {}
    }
    sqlx::query!("UPDATE replay_batch SET total = $2 WHERE id = $1", id.uuid(), total).execute(&mut *conn).await?;
    let options = Options { request_id: new.origin.request_id.clone(), ..Options::default() };
    enqueue_with(conn, &ReplayDeadJobs { batch_id: id }, &options).await?;
    get(conn, id).await?.ok_or(CreateError::Database(sqlx::Error::RowNotFound))
}
