//! `POST /admin/dead-jobs/{job_id}/replay`

use jobs::audit::By;
use jobs::dead_letters;
use jobs::ids::JobId;
use salvo::Writer as _;
use salvo::oapi::endpoint;

use crate::access::Operator;
use crate::answer::Accepted;
use crate::problem::Problem;
use crate::request::PathId;
use crate::routes::dead_jobs::Replayed;

/// Run a dead job again
///
/// With a fresh budget of attempts. It stays a dead job until its replay succeeds; a replay that dies takes its place.
#[endpoint(
    operation_id = "replay_dead_job",
    tags("admin"),
    responses(
        (status_code = 404, description = "It is not dead; `error` says so where it waits or runs"),
        (status_code = 409, description = "It is being replayed, or another job does its work; `error` names that one"),
    )
)]
pub(super) async fn replay_dead_job(operator: Operator, job_id: PathId<JobId>) -> Result<Accepted<Replayed>, Problem> {
    let (actor, origin) = (operator.actor(), operator.origin());
    let mut tx = operator.app.begin().await?;
    let replay = dead_letters::replay(&mut tx, By { actor: &actor, origin: &origin }, job_id.0).await?;
    let answer = Replayed::answer(replay, "/api/v2/admin/jobs")?;
    tx.commit().await?;
    Ok(answer)
}
