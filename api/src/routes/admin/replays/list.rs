//! `GET /admin/dead-jobs/replays`

use jobs::ids::ReplayBatchId;
use jobs::queue::replay_batch;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Batch;
use crate::access::Operator;
use crate::problem::Problem;
use crate::request::Slice;

/// A page of batches of replays.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ReplayBatches"))]
pub(super) struct Batches {
    /// Newest first.
    replays: Vec<Batch>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// Batches of replays, newest first
#[endpoint(operation_id = "list_replays", tags("admin"))]
pub(super) async fn list_replays(
    operator: Operator,
    slice: Slice<(), ReplayBatchId>,
) -> Result<Json<Batches>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let rows = replay_batch::list(&mut conn, slice.after, slice.asked()).await?;
    let (rows, next_cursor) = slice.cut(rows, |batch| batch.id);
    Ok(Json(Batches { replays: rows.into_iter().map(Batch::from).collect(), next_cursor }))
}
