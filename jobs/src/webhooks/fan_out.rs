//! From an event to the endpoints that asked for it. In the transaction that records the event: an organisation has at most
//! [`MOST_ENDPOINTS`](super::endpoint::MOST_ENDPOINTS), so that this is two statements more, whatever they are.

use sqlx::PgConnection;

use crate::db::webhook_delivery::{self, NewDelivery};
use crate::db::webhook_endpoint::{self, About};
use crate::domain::Trigger;
use crate::ids::{DeliveryId, EventId, OrgId, WebhookEndpointId};
use crate::kinds::Job as _;
use crate::kinds::deliver_webhook::DeliverWebhook;
use crate::queue::{EnqueueError, enqueue_many_at};

/// An event that is recorded in the same transaction.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: &'a str,
}

/// Sends an event to every endpoint that asked for it; says how many those are.
///
/// # Errors
/// The database's.
pub async fn fan_out(conn: &mut PgConnection, event: Recorded<'_>, about: About<'_>) -> Result<usize, EnqueueError> {
    let endpoints = webhook_endpoint::subscribed(conn, event.org_id, about).await?;
    if !endpoints.is_empty() {
        deliver(conn, event, &endpoints, (Trigger::Event, DeliverWebhook::PRIORITY)).await?;
    }
    Ok(endpoints.len())
}

/// Sends an event to these endpoints, none of which has it.
///
/// # Errors
/// The database's.
pub async fn deliver(
    conn: &mut PgConnection,
    event: Recorded<'_>,
    endpoints: &[WebhookEndpointId],
    (trigger, priority): (Trigger, i16),
) -> Result<Vec<DeliveryId>, EnqueueError> {
    let jobs: Vec<DeliverWebhook> = endpoints
        .iter()
        .map(|endpoint| DeliverWebhook { org_id: event.org_id, endpoint_id: *endpoint, delivery_id: DeliveryId::new() })
        .collect();
    let enqueued = enqueue_many_at(conn, &jobs, priority).await?;
    let new: Vec<NewDelivery> = jobs
        .iter()
        .zip(&enqueued)
        .map(|(job, enqueued)| NewDelivery { id: job.delivery_id, endpoint_id: job.endpoint_id, job_id: enqueued.id })
        .collect();
    webhook_delivery::insert(conn, (event.org_id, event.id, event.event_type), trigger, &new).await?;
    Ok(new.into_iter().map(|delivery| delivery.id).collect())
}
