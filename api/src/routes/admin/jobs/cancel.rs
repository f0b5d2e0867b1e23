//! `POST /admin/jobs/{job_id}/cancel`

use jobs::audit::By;
use jobs::ids::JobId;
use jobs::steering::{self, Cancelled};
use salvo::Writer as _;
use salvo::http::StatusCode;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use uuid::Uuid;

use crate::access::Operator;
use crate::answer::Done;
use crate::problem::Problem;
use crate::request::PathId;

/// What a cancellation came to.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "CancelledJob", example = json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057", "state": "cancelled"})))]
pub(super) struct CancelledJob {
    /// The job.
    id: Uuid,
    /// cancelled, or `cancel_requested` while it still runs.
    state: &'static str,
}

/// Cancel a job
///
/// At once while it waits. A running one is told to stop: it ends when its handler heeds that, or at its timeout.
#[endpoint(
    operation_id = "cancel_job",
    tags("admin"),
    responses(
        (status_code = 202, description = "It runs and has been told; ask at `Location`", body = CancelledJob),
        (status_code = 404, description = "It is dead, has ended, or never was; `error` says which"),
    )
)]
pub(super) async fn cancel_job(operator: Operator, job_id: PathId<JobId>) -> Result<Done<CancelledJob>, Problem> {
    let (actor, origin) = (operator.actor(), operator.origin());
    let mut conn = operator.app.pool().acquire().await?;
    let id = job_id.0.uuid();
    match steering::cancel(&mut conn, job_id.0, By { actor: &actor, origin: &origin }).await? {
        Cancelled::Now => Done::new(&CancelledJob { id, state: "cancelled" }),
        Cancelled::Requested => Ok(Done::new(&CancelledJob { id, state: "cancel_requested" })?
            .with_status(StatusCode::ACCEPTED)
            .location(&format!("/api/v2/admin/jobs/{id}"))),
        Cancelled::Dead => Err(Problem::not_found("living job: it is dead, see /api/v2/admin/dead-jobs")),
        Cancelled::Ended => Err(Problem::not_found("living job: it has ended")),
        Cancelled::Unknown => Err(Problem::not_found("job: it never was, or it has ended and its outcome is not kept")),
    }
}
