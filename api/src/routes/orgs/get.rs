//! `GET /orgs/{id}`

use jobs::db;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Org;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;

/// Name, slug, plan and features of an organisation
#[endpoint(operation_id = "get_org", tags("orgs"))]
pub(super) async fn get(tenant: Tenant<Viewer>) -> Result<Json<Org>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let org = db::org::find(&mut conn, tenant.org).await?.ok_or(Problem::not_found("organisation"))?;
    Ok(Json(org.into()))
}
