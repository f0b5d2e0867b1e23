//! `GET /webhook-event-types`

use jobs::events::{Body, EventType, catalogue};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::{Json, Router};
use serde::Serialize;
use serde_json::Value;

use crate::access::{Signed, Viewer};
use crate::problem::Problem;

/// The catalogue of events.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookEventTypes",
    example = json!({"event_types": [{
        "type": "test.ping",
        "description": "Somebody asked for a test of an endpoint.",
        "schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        "example": {"type": "test.ping", "timestamp": "2026-01-01T00:00:00.000000Z", "data": {"message": "Hello."}}
    }]})
))]
struct EventTypes {
    /// One each.
    event_types: Vec<Described>,
}

/// A type of event.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WebhookEventType"))]
struct Described {
    /// The dotted name that endpoints subscribe to, alone or by its group as `drift.*`.
    #[serde(rename = "type")]
    #[salvo(schema(value_type = String))]
    event_type: EventType,
    /// When it happens.
    description: &'static str,
    /// JSON Schema, draft 2020-12, of the body that is sent.
    #[salvo(schema(value_type = Object))]
    schema: Value,
    /// A body.
    #[salvo(schema(value_type = Object))]
    example: Body<Value>,
}

impl From<catalogue::Entry> for Described {
    fn from(entry: catalogue::Entry) -> Self {
        Self {
            event_type: entry.event_type,
            description: entry.description,
            schema: entry.schema,
            example: entry.example,
        }
    }
}

pub(super) fn router() -> Router {
    Router::with_path("webhook-event-types").get(list)
}

/// Catalogue of every event that we can send
///
/// More types and more fields may come; none goes.
#[endpoint(operation_id = "list_webhook_event_types", tags("outbound-webhooks"))]
#[allow(clippy::unused_async, reason = "an endpoint is async")]
async fn list(_signed: Signed<Viewer>) -> Result<Json<EventTypes>, Problem> {
    let entries = catalogue::all().map_err(Problem::internal)?;
    Ok(Json(EventTypes { event_types: entries.into_iter().map(Described::from).collect() }))
}
