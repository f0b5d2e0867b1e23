//! `POST /orgs/{id}/dead-jobs/{job_id}/replay`, and the answer that operators get, too.

use jobs::audit::By;
use jobs::dead_letters;
use jobs::ids::JobId;
use jobs::queue::dead::{self, Replay};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use uuid::Uuid;

use crate::access::{Member, Tenant};
use crate::answer::Accepted;
use crate::problem::Problem;
use crate::request::PathId;

/// A dead job that runs again.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "ReplayedJob",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8058",
        "replay_of": "01890a5d-ac96-774b-bcce-b302099a8057",
        "kind": "scan",
        "queue": "scans"
    })
))]
pub(in crate::routes) struct Replayed {
    /// The job that is new.
    id: Uuid,
    /// The dead job; it stays one until the new job succeeds.
    replay_of: Uuid,
    /// What kind of work it is.
    kind: String,
    /// Where the new job waits.
    queue: String,
}

impl Replayed {
    /// 202 with the new job's place below `jobs`.
    pub(in crate::routes) fn answer(replay: Replay, jobs: &str) -> Result<Accepted<Self>, Problem> {
        let new = match replay {
            Replay::Enqueued(new) => new,
            other => return Err(refused(&other)),
        };
        let place = format!("{jobs}/{}", new.id);
        let body = Self { id: new.id.uuid(), replay_of: new.dead_id.uuid(), kind: new.kind, queue: new.queue };
        Ok(Accepted::new(&body)?.location(&place))
    }
}

/// Why a dead job was not replayed.
pub(in crate::routes) fn refused(replay: &Replay) -> Problem {
    match replay {
        Replay::Running(job) => {
            Problem::conflict("replay_running", format!("it is being replayed already, as job {job}"))
        }
        Replay::Superseded(Some(job)) => Problem::conflict(
            "replay_superseded",
            format!("job {job} waits or runs with the same unique key and does its work"),
        ),
        Replay::Superseded(None) => Problem::conflict(
            "replay_superseded",
            "a job with the same unique key ended just now: look whether this one is still needed, and try again",
        ),
        Replay::Alive => Problem::not_found("dead job: it is not dead, it waits or runs"),
        Replay::NotDead | Replay::Enqueued(_) => Problem::not_found("dead job"),
    }
}

/// Run one of the organisation's dead jobs again
///
/// With a fresh budget of attempts. It stays a dead job until its replay succeeds.
#[endpoint(
    operation_id = "replay_org_dead_job",
    tags("dead-jobs"),
    responses((status_code = 409, description = "It is being replayed, or another job does its work; `error` names that one"))
)]
pub(super) async fn replay_org_dead_job(
    tenant: Tenant<Member>,
    job_id: PathId<JobId>,
) -> Result<Accepted<Replayed>, Problem> {
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let job = dead::get(&mut tx, job_id.0).await?.filter(|job| job.tenant == tenant.org.uuid());
    if job.is_none() {
        return Err(Problem::not_found("dead job"));
    }
    let replay = dead_letters::replay(&mut tx, By { actor: &actor, origin: &origin }, job_id.0).await?;
    let answer = Replayed::answer(replay, &format!("/api/v2/orgs/{}/jobs", tenant.org))?;
    tx.commit().await?;
    Ok(answer)
}
