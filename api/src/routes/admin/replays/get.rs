//! `GET /admin/dead-jobs/replays/{batch_id}`

use jobs::ids::ReplayBatchId;
use jobs::queue::replay_batch;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Batch;
use crate::access::Operator;
use crate::problem::Problem;
use crate::request::PathId;

/// How far a batch of replays is
///
/// Known until a month after its end.
#[endpoint(
    operation_id = "get_replays",
    tags("admin"),
    responses((status_code = 404, description = "There is no such batch"))
)]
pub(super) async fn get_replays(operator: Operator, batch_id: PathId<ReplayBatchId>) -> Result<Json<Batch>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let batch = replay_batch::get(&mut conn, batch_id.0).await?;
    Ok(Json(batch.ok_or(Problem::not_found("batch of replays"))?.into()))
}
