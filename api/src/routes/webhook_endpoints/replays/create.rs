//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/replay`

use chrono::{DateTime, TimeDelta, Utc};
use jobs::db::webhook_endpoint;
use jobs::db::webhook_replay::NewReplay;
use jobs::domain::ReplayWhich;
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::replay;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;

use super::Replay;
use crate::access::{Admin, Person, Tenant};
use crate::answer::Accepted;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{FieldError, Problem};
use crate::request::{Body, PathId};
use crate::routes::webhook_deliveries::disabled;
use crate::routes::webhook_endpoints::unknown;

/// For how many days events are kept to be replayed.
const KEPT_DAYS: i64 = 30;

/// Which events to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "NewWebhookReplay", example = json!({"since": "2026-01-01T00:00:00Z", "only_failed": true})))]
pub(in crate::routes::webhook_endpoints) struct New {
    /// Events of this time on, within the last 30 days.
    since: DateTime<Utc>,
    /// Events before this time; absent: until now.
    until: Option<DateTime<Utc>>,
    /// Only deliveries that failed or were given up, as where nothing is said; false: every event that the endpoint asks for, those
    /// that were never sent to it included.
    only_failed: Option<bool>,
}

impl New {
    fn check(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        let mut faults = Vec::new();
        let mut wrong = |field: &str, message: String| faults.push(FieldError { field: field.to_owned(), message });
        if self.since >= now {
            wrong("since", "must be in the past".to_owned());
        } else if self.since < now - TimeDelta::days(KEPT_DAYS) {
            wrong("since", format!("must be within the last {KEPT_DAYS} days: so long are events kept"));
        }
        if self.until.is_some_and(|until| until <= self.since) {
            wrong("until", "must be later than since".to_owned());
        }
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(faults)) }
    }

    fn which(&self) -> ReplayWhich {
        if self.only_failed.unwrap_or(true) { ReplayWhich::Failed } else { ReplayWhich::All }
    }
}

/// Send many of an endpoint's events again
///
/// Oldest first, each under the `webhook-id` that it had, with a fresh budget of attempts. One replay of an endpoint at a time. While
/// the endpoint is paused, what is replayed waits.
#[endpoint(
    operation_id = "replay_webhook_endpoint",
    tags("outbound-webhooks"),
    responses((status_code = 409, description = "Another replay of it is not through, or the endpoint is disabled"))
)]
pub(in crate::routes::webhook_endpoints) async fn create(
    tenant: Tenant<Person<Admin>>,
    endpoint_id: PathId<WebhookEndpointId>,
    body: Body<New>,
    idempotency: Idempotency,
) -> Result<Accepted<Replay>, Problem> {
    let Body(new) = body;
    new.check(Utc::now())?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let endpoint = webhook_endpoint::lock(&mut tx, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    if endpoint.disabled_at.is_some() {
        return Err(disabled());
    }
    let new = NewReplay {
        org_id: tenant.org,
        endpoint_id: endpoint.id,
        since: new.since,
        until: new.until,
        which: new.which(),
        actor: &actor,
        origin: &origin,
    };
    let begun = replay::many(&mut tx, &new).await?.ok_or_else(|| {
        Problem::conflict("replay_running", "another replay of this endpoint is not through yet: wait for its end")
    })?;
    let place = format!("/api/v2/orgs/{}/webhook-endpoints/{}/replays/{}", tenant.org, endpoint.id, begun.id);
    attempt.commit(tx, Accepted::new(&Replay::from(begun))?.location(&place)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(since_hours: i64, until_hours: Option<i64>) -> Vec<String> {
        let now = Utc::now();
        let at = |hours| now + TimeDelta::hours(hours);
        match (New { since: at(since_hours), until: until_hours.map(at), only_failed: None }).check(now) {
            Ok(()) => Vec::new(),
            Err(Problem::Unprocessable { fields, .. }) => fields.into_iter().map(|fault| fault.field).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_time_is_past_and_not_too_long_ago_and_ends_after_it_began() {
        assert!(faults(-30 * 24, None).is_empty() && faults(-1, Some(5)).is_empty());
        assert_eq!(faults(0, None), ["since"]);
        assert_eq!(faults(-30 * 24 - 1, Some(-30 * 24 - 2)), ["since", "until"]);
        assert_eq!(faults(-1, Some(-1)), ["until"]);
    }
}
