//! `GET /orgs/{id}/webhook-endpoints/{endpoint_id}`

use jobs::db::webhook_endpoint;
use jobs::ids::WebhookEndpointId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{Endpoint, unknown};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One outbound endpoint
///
/// With its failures in a row, and why it was disabled.
#[endpoint(operation_id = "get_webhook_endpoint", tags("outbound-webhooks"))]
pub(super) async fn get(
    tenant: Tenant<Viewer>,
    endpoint_id: PathId<WebhookEndpointId>,
) -> Result<Json<Endpoint>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let endpoint = webhook_endpoint::find(&mut conn, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    Ok(Json(endpoint.into()))
}
