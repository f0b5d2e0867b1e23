//! `GET /orgs/{id}/resources/{resource_id}`

use jobs::db::live_resource;
use jobs::ids::LiveResourceId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{Resource, shown_one};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One discovered resource with its enrichment state
#[endpoint(operation_id = "get_live_resource", tags("accounts"))]
pub(super) async fn get_live_resource(
    tenant: Tenant<Viewer>,
    resource_id: PathId<LiveResourceId>,
) -> Result<Json<Resource>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let row = live_resource::get(&mut conn, tenant.org, resource_id.0).await?;
    Ok(Json(shown_one(&mut conn, tenant.org, row).await?))
}
