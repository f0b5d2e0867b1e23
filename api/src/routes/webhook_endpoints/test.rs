//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/test`

use jobs::audit::By;
use jobs::db::webhook_endpoint;
use jobs::events::EventType;
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::replay;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use uuid::Uuid;

use super::unknown;
use crate::access::{Admin, Person, Tenant};
use crate::answer::Accepted;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::PathId;

/// A test that is on its way.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookTest",
    example = json!({
        "delivery_id": "01890a5d-ac96-774b-bcce-b302099a8058",
        "event_id": "01890a5d-ac96-774b-bcce-b302099a8059",
        "event_type": "test.ping"
    })
))]
pub(super) struct Tested {
    /// The delivery to poll.
    delivery_id: Uuid,
    /// The event that is sent.
    event_id: Uuid,
    /// `test.ping`.
    event_type: &'static str,
}

/// Send a `test.ping`
///
/// To this endpoint alone, whatever it has subscribed to, through the queue like everything else. A disabled endpoint can be
/// tested, too.
#[endpoint(
    operation_id = "test_webhook_endpoint",
    tags("outbound-webhooks"),
    responses((status_code = 400, description = "The endpoint is paused"))
)]
pub(super) async fn test(
    tenant: Tenant<Person<Admin>>,
    endpoint_id: PathId<WebhookEndpointId>,
    idempotency: Idempotency,
) -> Result<Accepted<Tested>, Problem> {
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let endpoint = webhook_endpoint::lock(&mut tx, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    if endpoint.paused_at.is_some() {
        return Err(Problem::bad_request(
            "endpoint_paused",
            "this endpoint is paused: set active to true, and test then",
        ));
    }
    let tested = replay::test(&mut tx, By { actor: &actor, origin: &origin }, &endpoint).await?;
    let place = format!("/api/v2/orgs/{}/webhook-deliveries/{}", tenant.org, tested.delivery_id);
    let answer = Tested {
        delivery_id: tested.delivery_id.uuid(),
        event_id: tested.event_id.uuid(),
        event_type: EventType::TestPing.as_str(),
    };
    attempt.commit(tx, Accepted::new(&answer)?.location(&place)).await
}
