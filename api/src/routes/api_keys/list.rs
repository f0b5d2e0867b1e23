//! `GET /orgs/{id}/api-keys`

use jobs::db;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::ApiKey;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Page;

/// A page of API keys.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ApiKeyList"))]
pub(super) struct List {
    /// The page's keys, newest first.
    api_keys: Vec<ApiKey>,
    /// How many there are in all.
    total: i64,
    /// As asked for.
    limit: i64,
    /// As asked for.
    offset: i64,
}

/// Page through the API keys of an organisation
///
/// Revoked keys are listed until they are purged.
#[endpoint(operation_id = "list_api_keys", tags("api-keys"))]
pub(super) async fn list(tenant: Tenant<Viewer>, page: Page<(), 100, 500>) -> Result<Json<List>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = db::api_key::list(&mut conn, tenant.org, page.rows()).await?;
    Ok(Json(List {
        api_keys: listed.rows.into_iter().map(ApiKey::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
