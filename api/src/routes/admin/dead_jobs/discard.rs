//! `POST /admin/dead-jobs/{job_id}/discard`

use jobs::audit::By;
use jobs::dead_letters::{self, LONGEST_REASON, is_reason};
use jobs::ids::JobId;
use jobs::queue::dead::{Discard, Replay};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;

use crate::access::Operator;
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::{Body, PathId};
use crate::routes::dead_jobs::refused;

/// Why a dead job is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "DiscardDeadJob", example = json!({"reason": "the account is closed"})))]
pub(super) struct Why {
    /// For the audit log, 1 to 1000 characters.
    reason: String,
}

/// Delete a dead job for good
///
/// The audit log keeps what it was and why.
#[endpoint(
    operation_id = "discard_dead_job",
    tags("admin"),
    responses(
        (status_code = 404, description = "It is not dead; `error` says so where it waits or runs"),
        (status_code = 409, description = "It is being replayed; `error` names the job to cancel first"),
    )
)]
pub(super) async fn discard_dead_job(
    operator: Operator,
    job_id: PathId<JobId>,
    body: Body<Why>,
) -> Result<NoContent, Problem> {
    let why = body.0.reason;
    if !is_reason(&why) {
        return Err(Problem::invalid("reason", format!("must have 1 to {LONGEST_REASON} characters")));
    }
    let (actor, origin) = (operator.actor(), operator.origin());
    let mut tx = operator.app.begin().await?;
    match dead_letters::discard(&mut tx, By { actor: &actor, origin: &origin }, job_id.0, &why).await? {
        Discard::Discarded(_) => {}
        Discard::Running(job) => {
            return Err(Problem::conflict("replay_running", format!("it is being replayed: cancel job {job} first")));
        }
        Discard::Alive => return Err(refused(&Replay::Alive)),
        Discard::NotDead => return Err(refused(&Replay::NotDead)),
    }
    tx.commit().await?;
    Ok(NoContent)
}
