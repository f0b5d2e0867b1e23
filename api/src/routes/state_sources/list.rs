//! `GET /orgs/{id}/state-sources`

use jobs::db::state_source;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Source;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Page;

/// A page of state sources.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StateSources {
    state_sources: Vec<Source>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// Page through the state sources
///
/// Newest first.
#[endpoint(operation_id = "list_state_sources", tags("state-sources"))]
pub(super) async fn list_state_sources(
    tenant: Tenant<Viewer>,
    page: Page<(), 100, 500>,
) -> Result<Json<StateSources>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = state_source::list(&mut conn, tenant.org, page.rows()).await?;
    Ok(Json(StateSources {
        state_sources: listed.rows.into_iter().map(Source::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
