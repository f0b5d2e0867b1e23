//! `POST /orgs/{id}/state-sources/{src_id}/refresh`

use jobs::audit::Action;
use jobs::db::state_snapshot;
use jobs::db::state_source::{self, StateSource};
use jobs::domain::StateSourceKind;
use jobs::ids::StateSourceId;
use jobs::kinds::refresh_state_source::RefreshStateSource;
use salvo::Writer as _;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use sqlx::PgConnection;

use super::RefreshResult;
use super::upload::{read_state, request};
use crate::access::{Member, Tenant};
use crate::answer::Done;
use crate::problem::Problem;
use crate::request::PathId;

/// Fetch, parse and ingest the state now
///
/// Always goes to the backend. An `upload` source has none: it answers with what was sent last. A state that is not read
/// within 25 s is 202; poll the source.
#[endpoint(
    operation_id = "refresh_state_source",
    tags("state-sources"),
    responses(
        (status_code = 202, description = "Still being read; poll the source at `Location`", body = RefreshResult),
        (status_code = 409, description = "Nothing was uploaded yet, or an operator cancelled the job"),
        (status_code = 422, description = "What lies there is no state that can be read; `error` says why"),
        (status_code = 502, description = "The backend does not give the state; `error` says why"),
    )
)]
pub(super) async fn refresh_state_source(
    tenant: Tenant<Member>,
    src_id: PathId<StateSourceId>,
) -> Result<Done<RefreshResult>, Problem> {
    let mut tx = tenant.app.begin().await?;
    let source = state_source::get(&mut tx, tenant.org, src_id.0).await?.ok_or(Problem::not_found("state source"))?;
    if source.kind == StateSourceKind::Upload {
        return Done::new(&sent_last(&mut tx, &source).await?);
    }
    let job = RefreshStateSource { org_id: tenant.org, state_source_id: source.id, artifact: None };
    let job = request(&mut tx, &tenant, Action::StateSourceRefreshed, &job).await?;
    tx.commit().await?;
    read_state(&tenant, source.id, job).await
}

/// The snapshot of what was uploaded last.
async fn sent_last(conn: &mut PgConnection, source: &StateSource) -> Result<RefreshResult, Problem> {
    let snapshot = match source.latest_snapshot_id {
        Some(id) => state_snapshot::get(conn, source.org_id, id).await?,
        None => None,
    };
    let Some(snapshot) = snapshot else {
        return Err(Problem::conflict(
            "upload_required",
            format!(
                "no state was uploaded yet: send its bytes with PUT /api/v2/orgs/{}/state-sources/{}/state",
                source.org_id, source.id
            ),
        ));
    };
    Ok(RefreshResult {
        content_hash: Some(snapshot.content_hash),
        last_fetched_at: source.last_fetched_at,
        refreshed: Some(false),
        resource_count: Some(snapshot.resource_count),
        snapshot_id: Some(snapshot.id.uuid()),
    })
}

/// 202 while the state is being read.
pub(super) fn still_reading(tenant: &Tenant<Member>, id: StateSourceId) -> Result<Done<RefreshResult>, Problem> {
    let path = format!("/api/v2/orgs/{}/state-sources/{id}", tenant.org);
    Ok(Done::new(&RefreshResult::default())?
        .with_status(StatusCode::ACCEPTED)
        .location(&path)
        .retry_after(std::time::Duration::from_secs(2)))
}
