//! `DELETE /orgs/{id}/webhook-endpoints/{endpoint_id}`

use jobs::audit::By;
use jobs::db::webhook_endpoint;
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::endpoint as endpoints;
use salvo::Writer as _;
use salvo::oapi::endpoint;

use super::unknown;
use crate::access::{Admin, Person, Tenant};
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::PathId;

/// Remove an endpoint
///
/// What was not sent yet is cancelled. Its deliveries stay readable.
#[endpoint(operation_id = "delete_webhook_endpoint", tags("outbound-webhooks"))]
pub(super) async fn delete(
    tenant: Tenant<Person<Admin>>,
    endpoint_id: PathId<WebhookEndpointId>,
) -> Result<NoContent, Problem> {
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let endpoint = webhook_endpoint::lock(&mut tx, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    endpoints::delete(&mut tx, By { actor: &actor, origin: &origin }, &endpoint).await?;
    tx.commit().await?;
    Ok(NoContent)
}
