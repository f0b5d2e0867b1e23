//! Deliveries: an event for an endpoint, and what came of it. The list of an endpoint's is below the endpoint.

mod get;
mod replay;

use chrono::{DateTime, Utc};
use jobs::db::webhook_delivery;
use jobs::domain::DeliveryStatus;
use jobs::webhooks::signature::message_id;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("webhook-deliveries")
        .push(Router::with_path("{delivery_id}").get(get::get).push(Router::with_path("replay").post(replay::replay)))
}

const fn unknown() -> Problem {
    Problem::not_found("webhook delivery")
}

/// Nothing can be replayed to an endpoint that is disabled.
pub(in crate::routes) fn disabled() -> Problem {
    Problem::conflict(
        "endpoint_disabled",
        "the endpoint is disabled and nothing is sent to it: set its active to true first",
    )
}

/// A delivery, with its last attempt.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookDelivery",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8058",
        "endpoint_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "event_id": "01890a5d-ac96-774b-bcce-b302099a8059",
        "webhook_id": "evt_01890a5d-ac96-774b-bcce-b302099a8059",
        "event_type": "drift.detected",
        "status": "failed",
        "attempts": 2,
        "next_attempt_at": "2026-01-01T08:05:00Z",
        "last_response_status": 500,
        "last_response_excerpt": "oops",
        "last_error_class": "http_status",
        "last_error": "the receiver answered 500",
        "created_at": "2026-01-01T08:00:00Z",
        "delivered_at": null
    })
))]
pub(in crate::routes) struct Delivery {
    /// Its id.
    id: Uuid,
    /// To whom.
    endpoint_id: Uuid,
    /// What.
    event_id: Uuid,
    /// The header `webhook-id`: the same at every attempt and every replay.
    webhook_id: String,
    /// The event's type.
    event_type: String,
    /// `pending`: not tried yet; `in_flight`; `delivered`; `failed`: the last attempt failed and the next one is planned, or it was
    /// cancelled; `dlq`: given up.
    #[salvo(schema(value_type = String))]
    status: DeliveryStatus,
    /// Attempts since its creation or its last replay.
    attempts: i16,
    /// When the next attempt is due; null where none is planned.
    next_attempt_at: Option<DateTime<Utc>>,
    /// Status of the last attempt's answer; null where there was none.
    last_response_status: Option<i16>,
    /// The beginning of that answer's body, at most 4096 bytes.
    last_response_excerpt: Option<String>,
    /// Stable name of the last attempt's failure.
    last_error_class: Option<String>,
    /// The last attempt's failure for a person, or why it was cancelled.
    last_error: Option<String>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When the receiver took it.
    delivered_at: Option<DateTime<Utc>>,
}

impl From<webhook_delivery::Delivery> for Delivery {
    fn from(delivery: webhook_delivery::Delivery) -> Self {
        Self {
            id: delivery.id.uuid(),
            endpoint_id: delivery.endpoint_id.uuid(),
            event_id: delivery.event_id.uuid(),
            webhook_id: message_id(delivery.event_id),
            event_type: delivery.event_type,
            status: delivery.status,
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            last_response_status: delivery.last_response_status,
            last_response_excerpt: delivery.last_response_excerpt,
            last_error_class: delivery.last_error_class,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            delivered_at: delivery.delivered_at,
        }
    }
}
