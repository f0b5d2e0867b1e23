//! `GET /orgs/{id}/api-keys/{key_id}`

use jobs::db;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{ApiKey, unknown};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// Details of one key
#[endpoint(operation_id = "get_api_key", tags("api-keys"))]
pub(super) async fn get(tenant: Tenant<Viewer>, key_id: PathId<ApiKeyId>) -> Result<Json<ApiKey>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let key = db::api_key::find(&mut conn, tenant.org, key_id.0).await?.ok_or(unknown())?;
    Ok(Json(key.into()))
}
