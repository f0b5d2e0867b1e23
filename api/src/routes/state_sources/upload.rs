//! `PUT /orgs/{id}/state-sources/{src_id}/state`

use futures::{StreamExt as _, TryStreamExt as _};
use jobs::artifacts::Key;
use jobs::audit::{Action, Entry, Target, append};
use jobs::db::state_source;
use jobs::domain::StateSourceKind;
use jobs::ids::{JobId, StateSourceId};
use jobs::kinds::refresh_state_source::{RefreshStateSource, Refreshed};
use jobs::queue;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Request;
use serde_json::json;
use sqlx::PgConnection;

use super::refresh::still_reading;
use super::{REFUSALS, RefreshResult};
use crate::access::{Member, Tenant};
use crate::answer::Done;
use crate::awaited::{self, Outcome};
use crate::problem::Problem;
use crate::request::{PathId, stream_body};

/// Most bytes of a state as it is sent.
pub(crate) const STATE_LIMIT: usize = 256 * 1024 * 1024;

/// Send a state's bytes
///
/// For sources of the kind `upload`. The body is the state as Terraform wrote it, plain or gzipped, up to 256 MB. A state
/// that is not read within 25 s is 202; poll the source.
#[endpoint(
    operation_id = "upload_state",
    tags("state-sources"),
    request_body(content = String, content_type = "application/octet-stream", description = "The state's bytes"),
    responses(
        (status_code = 202, description = "Still being read; poll the source at `Location`", body = RefreshResult),
        (status_code = 400, description = "No bytes, or they ended early"),
        (status_code = 409, description = "The source is of another kind, or an operator cancelled the job"),
        (status_code = 413, description = "The state is too large"),
        (status_code = 422, description = "The bytes are no state that can be read; `error` says why"),
        (status_code = 502, description = "The bytes cannot be had from where they were put"),
    )
)]
pub(super) async fn upload_state(
    tenant: Tenant<Member>,
    src_id: PathId<StateSourceId>,
    req: &mut Request,
) -> Result<Done<RefreshResult>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let source = state_source::get(&mut conn, tenant.org, src_id.0).await?.ok_or(Problem::not_found("state source"))?;
    drop(conn);
    if source.kind != StateSourceKind::Upload {
        return Err(Problem::conflict(
            "not_an_upload_source",
            format!("this source is of the kind {}, which is fetched: call refresh", source.kind),
        ));
    }
    let key = Key::for_upload(tenant.org, source.id);
    store(&tenant, &key, req).await?;
    let job =
        RefreshStateSource { org_id: tenant.org, state_source_id: source.id, artifact: Some(key.as_str().to_owned()) };
    let enqueued = async {
        let mut tx = tenant.app.begin().await?;
        let id = request(&mut tx, &tenant, Action::StateUploaded, &job).await?;
        tx.commit().await?;
        Ok::<_, Problem>(id)
    };
    match enqueued.await {
        Ok(id) => read_state(&tenant, source.id, id).await,
        Err(problem) => {
            discard(&tenant, &key).await;
            Err(problem)
        }
    }
}

/// Streams the body into the artifact store, sealed; memory stays bounded. What was cut or too large leaves nothing.
async fn store(tenant: &Tenant<Member>, key: &Key, req: &mut Request) -> Result<(), Problem> {
    let mut too_large = false;
    let mut broken = false;
    let mut seen = 0;
    let body = stream_body(req, STATE_LIMIT, "state")
        .await?
        .map(|chunk| {
            let chunk = chunk.inspect_err(|_| broken = true)?;
            seen += chunk.len();
            if seen > STATE_LIMIT {
                too_large = true;
                return Err(std::io::Error::other("the body is too large"));
            }
            Ok(chunk)
        })
        .into_stream();
    let stored = tenant.app.artifacts().put_sealed(tenant.app.keyring(), tenant.org, key, body).await;
    match stored {
        Ok(()) if seen == 0 => {
            discard(tenant, key).await;
            Err(Problem::bad_request("empty_body", "the body is empty: send the state's bytes"))
        }
        Ok(()) => Ok(()),
        Err(_) if too_large => Err(Problem::TooLarge { limit: STATE_LIMIT, field: Some("state") }),
        Err(_) if broken => {
            Err(Problem::bad_request("unreadable_body", "the body ended early or took too long to arrive"))
        }
        Err(error) => Err(Problem::internal(error)),
    }
}

async fn discard(tenant: &Tenant<Member>, key: &Key) {
    if let Err(error) = tenant.app.artifacts().delete(key).await {
        tracing::warn!(%error, key = key.as_str(), "artifact could not be deleted");
    }
}

/// Enqueues reading a state and notes in the audit chain who wanted it.
pub(super) async fn request(
    conn: &mut PgConnection,
    tenant: &Tenant<Member>,
    action: Action,
    job: &RefreshStateSource,
) -> Result<JobId, Problem> {
    let enqueued = queue::enqueue_with(&mut *conn, job, &awaited::options(&tenant.context)).await?;
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action,
        target: Target { kind: "state_source", id: job.state_source_id.to_string() },
        details: json!({"job_id": enqueued.id}),
    };
    append(conn, &entry).await?;
    Ok(enqueued.id)
}

/// Waits for the job that reads a state.
pub(super) async fn read_state(
    tenant: &Tenant<Member>,
    source: StateSourceId,
    job: JobId,
) -> Result<Done<RefreshResult>, Problem> {
    match awaited::outcome::<Refreshed>(&tenant.context, job).await? {
        Outcome::Done(read) => Done::new(&RefreshResult::from(read)),
        Outcome::Failed(failure) => Err(failure.into_problem(&REFUSALS)),
        Outcome::Pending => still_reading(tenant, source),
    }
}
