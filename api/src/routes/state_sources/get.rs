//! `GET /orgs/{id}/state-sources/{src_id}`

use jobs::db::state_source;
use jobs::ids::StateSourceId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Source;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One state source
///
/// Poll it after a 202 of refresh or upload: `last_fetched_at` moves when the state was read, `last_fetch_error` says why
/// it was not.
#[endpoint(operation_id = "get_state_source", tags("state-sources"))]
pub(super) async fn get_state_source(
    tenant: Tenant<Viewer>,
    src_id: PathId<StateSourceId>,
) -> Result<Json<Source>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let source = state_source::get(&mut conn, tenant.org, src_id.0).await?;
    Ok(Json(source.ok_or(Problem::not_found("state source"))?.into()))
}
