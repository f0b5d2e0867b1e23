//! `POST /orgs/{id}/webhook-deliveries/{delivery_id}/replay`

use jobs::audit::By;
use jobs::db::webhook_delivery;
use jobs::ids::DeliveryId;
use jobs::webhooks::replay::{self as replays, Replay};
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{Delivery, disabled, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::problem::Problem;
use crate::request::PathId;

/// Send a delivery again
///
/// It is pending again with a fresh budget of attempts, and keeps its `webhook-id`, so that receivers can recognise a repeat. While its
/// endpoint is paused, it waits.
#[endpoint(
    operation_id = "replay_webhook_delivery",
    tags("outbound-webhooks"),
    responses((status_code = 409, description = "It is in flight, or its endpoint is disabled or deleted; nothing was done"))
)]
pub(super) async fn replay(
    tenant: Tenant<Person<Admin>>,
    delivery_id: PathId<DeliveryId>,
) -> Result<Json<Delivery>, Problem> {
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    match replays::one(&mut tx, By { actor: &actor, origin: &origin }, tenant.org, delivery_id.0).await? {
        Replay::Begun => {}
        Replay::InFlight => {
            return Err(Problem::conflict(
                "delivery_in_flight",
                "this delivery is being sent just now: wait for its end",
            ));
        }
        Replay::Disabled => return Err(disabled()),
        Replay::Deleted => {
            return Err(Problem::conflict(
                "endpoint_deleted",
                "the endpoint is deleted: nothing is sent to it any more",
            ));
        }
        Replay::Absent => return Err(unknown()),
    }
    let delivery = webhook_delivery::get(&mut tx, tenant.org, delivery_id.0).await?.ok_or(unknown())?;
    tx.commit().await?;
    Ok(Json(delivery.into()))
}
