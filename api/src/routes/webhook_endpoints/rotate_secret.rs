//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/rotate-secret`

use jobs::audit::By;
use jobs::db::webhook_endpoint;
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::endpoint::{self as endpoints, LONGEST_GRACE_HOURS, USUAL_GRACE_HOURS};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;

use super::{EndpointWithSecret, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::answer::Done;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::{OptionalBody, PathId};

/// How a secret is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "SecretRotation", example = json!({"grace_hours": 24})))]
pub(super) struct Rotation {
    /// For how many hours the old secret goes on signing beside the new one, 0 to 168; 24 where nothing is said.
    grace_hours: Option<i64>,
}

impl Rotation {
    fn grace_hours(&self) -> Result<i32, Problem> {
        let given = self.grace_hours.map_or(Ok(USUAL_GRACE_HOURS), i32::try_from);
        given.ok().filter(|hours| (0..=LONGEST_GRACE_HOURS).contains(hours)).ok_or_else(|| {
            Problem::invalid("grace_hours", format!("must be 0 to {LONGEST_GRACE_HOURS} hours, which are 7 days"))
        })
    }
}

/// New signing secret; the old one also signs for a day
///
/// During the grace both signatures are sent, so that a receiver may switch at any time. The new secret is in `raw_secret` of this
/// answer and never again.
#[endpoint(
    operation_id = "rotate_webhook_endpoint_secret",
    tags("outbound-webhooks"),
    responses((status_code = 409, description = "The secret before the last rotation still signs"))
)]
pub(super) async fn rotate_secret(
    tenant: Tenant<Person<Admin>>,
    endpoint_id: PathId<WebhookEndpointId>,
    body: OptionalBody<Rotation>,
    idempotency: Idempotency,
) -> Result<Done<EndpointWithSecret>, Problem> {
    let grace_hours = body.0.grace_hours()?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let by = (By { actor: &actor, origin: &origin }, tenant.app.keyring());
    let mut tx = tenant.app.begin().await?;
    let endpoint = webhook_endpoint::lock(&mut tx, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    let rotated = endpoints::rotate(&mut tx, by, &endpoint, grace_hours).await?;
    attempt.commit(tx, Done::new(&EndpointWithSecret::from(rotated))?).await
}
