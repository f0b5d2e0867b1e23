//! `POST /admin/dead-jobs/replays/{batch_id}/cancel`

use jobs::audit::By;
use jobs::dead_letters;
use jobs::ids::ReplayBatchId;
use jobs::queue::replay_batch::Cancelling;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Batch;
use crate::access::Operator;
use crate::problem::Problem;
use crate::request::PathId;

/// Stop a batch of replays
///
/// At once; what it has replayed stays replayed.
#[endpoint(
    operation_id = "cancel_replays",
    tags("admin"),
    responses(
        (status_code = 404, description = "There is no such batch"),
        (status_code = 409, description = "It is done, or was cancelled before"),
    )
)]
pub(super) async fn cancel_replays(
    operator: Operator,
    batch_id: PathId<ReplayBatchId>,
) -> Result<Json<Batch>, Problem> {
    let (actor, origin) = (operator.actor(), operator.origin());
    let mut tx = operator.app.begin().await?;
    match dead_letters::cancel_replays(&mut tx, By { actor: &actor, origin: &origin }, batch_id.0).await? {
        Cancelling::Cancelled(batch) => {
            tx.commit().await?;
            Ok(Json((*batch).into()))
        }
        Cancelling::Over(batch) => {
            Err(Problem::conflict("replays_over", format!("there is nothing to cancel: the batch is {}", batch.state)))
        }
        Cancelling::Absent => Err(Problem::not_found("batch of replays")),
    }
}
