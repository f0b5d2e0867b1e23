//! `GET /orgs/{id}/webhook-deliveries/{delivery_id}`

use chrono::{DateTime, Utc};
use jobs::db::webhook_delivery::{self, LoggedAttempt};
use jobs::domain::Trigger;
use jobs::ids::DeliveryId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::{Delivery, unknown};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// Attempts that are shown.
const MOST_ATTEMPTS: i64 = 100;

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WebhookDeliveryDetail"))]
pub(super) struct Detail {
    #[serde(flatten)]
    delivery: Delivery,
    /// Its attempts, newest first; the last 100 of all times.
    attempt_log: Vec<Attempt>,
}

/// An attempt at a delivery, as it went.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookAttempt",
    example = json!({
        "number": 2,
        "trigger": "retry",
        "started_at": "2026-01-01T08:00:05Z",
        "duration_ms": 84,
        "response_status": 500,
        "error_class": "http_status",
        "error": "the receiver answered 500",
        "response_excerpt": "oops"
    })
))]
struct Attempt {
    /// From 1, over all replays.
    number: i32,
    /// Why it was made: `event`, `retry`, `replay` or `test`.
    #[salvo(schema(value_type = String))]
    trigger: Trigger,
    /// When it began; null of one whose worker was lost.
    started_at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds.
    duration_ms: Option<i32>,
    /// Status of the answer; null where there was none.
    response_status: Option<i16>,
    /// Stable name of the failure: `dns`, `connect`, `tls`, `timeout`, `http_status`, `redirect`, `blocked_address`, `protocol`, `internal`
    /// (our fault) or `unrecorded` (our worker was lost in the middle); null of a success.
    error_class: Option<String>,
    /// The failure for a person.
    error: Option<String>,
    /// The beginning of the answer's body, at most 4096 bytes.
    response_excerpt: Option<String>,
}

impl From<LoggedAttempt> for Attempt {
    fn from(attempt: LoggedAttempt) -> Self {
        Self {
            number: attempt.number,
            trigger: attempt.trigger,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
            response_status: attempt.response_status,
            error_class: attempt.error_class,
            error: attempt.error,
            response_excerpt: attempt.response_excerpt,
        }
    }
}

/// One delivery with its attempts
#[endpoint(operation_id = "get_webhook_delivery", tags("outbound-webhooks"))]
pub(super) async fn get(tenant: Tenant<Viewer>, delivery_id: PathId<DeliveryId>) -> Result<Json<Detail>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let delivery = webhook_delivery::get(&mut conn, tenant.org, delivery_id.0).await?.ok_or(unknown())?;
    let attempts = webhook_delivery::attempts(&mut conn, tenant.org, delivery.id, MOST_ATTEMPTS).await?;
    Ok(Json(Detail { delivery: delivery.into(), attempt_log: attempts.into_iter().map(Attempt::from).collect() }))
}
