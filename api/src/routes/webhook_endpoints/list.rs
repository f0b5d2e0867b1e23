//! `GET /orgs/{id}/webhook-endpoints`

use jobs::db::webhook_endpoint;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Endpoint;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Page;

/// A page of webhook endpoints.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WebhookEndpointList"))]
pub(super) struct List {
    /// The page's endpoints, newest first.
    webhook_endpoints: Vec<Endpoint>,
    /// How many there are in all.
    total: i64,
    /// As asked for.
    limit: i64,
    /// As asked for.
    offset: i64,
}

/// Outbound endpoints of an organisation
///
/// Of secrets only their beginning is listed.
#[endpoint(operation_id = "list_webhook_endpoints", tags("outbound-webhooks"))]
pub(super) async fn list(tenant: Tenant<Viewer>, page: Page<(), 50, 200>) -> Result<Json<List>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = webhook_endpoint::list(&mut conn, tenant.org, page.rows()).await?;
    Ok(Json(List {
        webhook_endpoints: listed.rows.into_iter().map(Endpoint::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
