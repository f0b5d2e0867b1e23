//! Webhook endpoints: where an organisation's events are sent.
//!
//! Whoever may choose an endpoint's address learns all that its events tell, so changes need a person with the role admin; a
//! stolen key can read how deliveries went, and send nothing anywhere.

mod create;
mod delete;
mod deliveries;
mod form;
mod get;
mod list;
mod replays;
mod rotate_secret;
mod test;
mod update;

use chrono::{DateTime, Utc};
use jobs::db::webhook_endpoint;
use jobs::ids::CloudAccountId;
use jobs::webhooks::endpoint::WithSecret;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("webhook-endpoints").get(list::list).post(create::create).push(
        Router::with_path("{endpoint_id}")
            .get(get::get)
            .patch(update::update)
            .delete(delete::delete)
            .push(Router::with_path("rotate-secret").post(rotate_secret::rotate_secret))
            .push(Router::with_path("test").post(test::test))
            .push(Router::with_path("deliveries").get(deliveries::list))
            .push(Router::with_path("replay").post(replays::create::create))
            .push(replays::router()),
    )
}

const fn unknown() -> Problem {
    Problem::not_found("webhook endpoint")
}

/// A webhook endpoint. Its secret is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookEndpoint",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "url": "https://hooks.example.com/plumbline",
        "description": "tells the on-call channel",
        "events": ["drift.*", "scan.failed"],
        "cloud_account_ids": [],
        "header_names": ["Authorization"],
        "max_in_flight": 10,
        "rate_per_second": 50.0,
        "active": true,
        "secret_prefix": "whsec_3kTq9X",
        "previous_secret_expires_at": null,
        "consecutive_failures": 0,
        "failing_since": null,
        "last_success_at": "2026-01-01T08:00:00Z",
        "paused_at": null,
        "disabled_at": null,
        "disabled_reason": null,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"
    })
))]
struct Endpoint {
    /// Its id.
    id: Uuid,
    /// Where events are sent.
    url: String,
    /// What it is for; may be empty.
    description: String,
    /// Types of events, exact or as `drift.*`.
    events: Vec<String>,
    /// Only events about these cloud accounts, or about none; empty: all.
    cloud_account_ids: Vec<Uuid>,
    /// Names of the headers that are added. Their values are never shown.
    header_names: Vec<String>,
    /// Deliveries at once, at most.
    max_in_flight: i32,
    /// Deliveries that begin in a second, at most; null: any number.
    rate_per_second: Option<f64>,
    /// Whether events are sent to it: it is neither paused nor disabled.
    active: bool,
    /// The beginning of the secret, which stays visible.
    secret_prefix: String,
    /// Until when the secret before the last rotation signs, too.
    previous_secret_expires_at: Option<DateTime<Utc>>,
    /// Failed attempts since the last success.
    consecutive_failures: i32,
    /// The first failure since the last success.
    failing_since: Option<DateTime<Utc>>,
    /// The last success, to the minute.
    last_success_at: Option<DateTime<Utc>>,
    /// Since when it is paused: its deliveries wait.
    paused_at: Option<DateTime<Utc>>,
    /// Since when it is disabled: nothing but tests is sent to it.
    disabled_at: Option<DateTime<Utc>>,
    /// Why it was disabled.
    disabled_reason: Option<String>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Last change by a person.
    updated_at: DateTime<Utc>,
}

impl From<webhook_endpoint::Endpoint> for Endpoint {
    fn from(endpoint: webhook_endpoint::Endpoint) -> Self {
        Self {
            id: endpoint.id.uuid(),
            active: endpoint.is_active(),
            url: endpoint.url,
            description: endpoint.description,
            events: endpoint.events,
            cloud_account_ids: endpoint.cloud_account_ids.into_iter().map(CloudAccountId::uuid).collect(),
            header_names: endpoint.header_names,
            max_in_flight: endpoint.max_in_flight,
            rate_per_second: endpoint.rate,
            secret_prefix: endpoint.secret_prefix,
            previous_secret_expires_at: endpoint.previous_secret_expires_at,
            consecutive_failures: endpoint.consecutive_failures,
            failing_since: endpoint.failing_since,
            last_success_at: endpoint.last_success_at,
            paused_at: endpoint.paused_at,
            disabled_at: endpoint.disabled_at,
            disabled_reason: endpoint.disabled_reason,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// An endpoint with its new secret, which no later answer has.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WebhookEndpointWithSecret"))]
struct EndpointWithSecret {
    #[serde(flatten)]
    endpoint: Endpoint,
    /// The signing secret: `whsec_` and base64.
    raw_secret: String,
}

impl From<WithSecret> for EndpointWithSecret {
    fn from(made: WithSecret) -> Self {
        Self { raw_secret: made.secret.reveal(), endpoint: made.endpoint.into() }
    }
}
