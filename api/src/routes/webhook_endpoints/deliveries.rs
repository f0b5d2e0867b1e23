//! `GET /orgs/{id}/webhook-endpoints/{endpoint_id}/deliveries`

use chrono::{DateTime, Utc};
use jobs::db::webhook_delivery::{self, COUNTED, Of};
use jobs::db::webhook_endpoint;
use jobs::domain::DeliveryStatus;
use jobs::events::EventType;
use jobs::ids::WebhookEndpointId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::unknown;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Filter, Page, Parameter, PathId, Query};
use crate::routes::webhook_deliveries::Delivery;

/// A page of an endpoint's deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "WebhookDeliveryList"))]
pub(super) struct List {
    /// The page's deliveries, newest event first.
    deliveries: Vec<Delivery>,
    /// How many match; counting stops at 10,000.
    total: i64,
    /// Whether there are exactly so many; false: so many or more.
    total_is_exact: bool,
    /// As asked for.
    limit: i64,
    /// As asked for.
    offset: i64,
}

/// What the list can be narrowed by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrow {
    status: Option<DeliveryStatus>,
    event_type: Option<EventType>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Narrow {
    fn filter(&self) -> webhook_delivery::Filter<'static> {
        webhook_delivery::Filter {
            status: self.status,
            event_type: self.event_type.map(EventType::as_str),
            since: self.since,
            until: self.until,
        }
    }
}

impl Filter for Narrow {
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "status",
            description: "Only deliveries that stand so.",
            words: DeliveryStatus::WORDS,
            required: false,
        },
        Parameter {
            name: "type",
            description: "Only deliveries of this type of event.",
            words: EventType::WORDS,
            required: false,
        },
        Parameter {
            name: "since",
            description: "Only events of this time (RFC 3339) or later.",
            words: &[],
            required: false,
        },
        Parameter {
            name: "until",
            description: "Only events before this time (RFC 3339).",
            words: &[],
            required: false,
        },
    ];

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        let narrow = Self {
            status: query.value("status")?,
            event_type: query.value("type")?,
            since: query.time("since")?,
            until: query.time("until")?,
        };
        if narrow.since.zip(narrow.until).is_some_and(|(since, until)| since >= until) {
            return Err(Problem::bad_parameter("until", "must be later than since"));
        }
        Ok(narrow)
    }
}

/// Delivery log of an endpoint
///
/// Newest event first; also of an endpoint that is deleted. The offset is at most 10,000: narrow the list by time to see what is
/// older.
#[endpoint(operation_id = "list_webhook_deliveries", tags("outbound-webhooks"))]
pub(super) async fn list(
    tenant: Tenant<Viewer>,
    endpoint_id: PathId<WebhookEndpointId>,
    page: Page<Narrow, 50, 200>,
) -> Result<Json<List>, Problem> {
    if page.offset > COUNTED {
        let message = format!("must be at most {COUNTED}: narrow the list by since and until to see what is older");
        return Err(Problem::bad_parameter("offset", message));
    }
    let mut conn = tenant.app.pool().acquire().await?;
    let endpoint = webhook_endpoint::find_any(&mut conn, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    let of = Of { org_id: tenant.org, endpoint_id: endpoint.id, is_deleted: endpoint.deleted_at.is_some() };
    let found = webhook_delivery::list(&mut conn, of, page.filter.filter(), page.rows()).await?;
    Ok(Json(List {
        deliveries: found.rows.into_iter().map(Delivery::from).collect(),
        total: found.total,
        total_is_exact: found.total < COUNTED,
        limit: page.limit,
        offset: page.offset,
    }))
}
