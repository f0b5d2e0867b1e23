//! `POST /orgs/{id}/webhook-endpoints`

use jobs::audit::By;
use jobs::db;
use jobs::db::webhook_endpoint::Settings;
use jobs::ids::OrgId;
use jobs::webhooks::address::Url;
use jobs::webhooks::endpoint::{self as endpoints, CustomHeaders, MOST_ENDPOINTS, USUAL_IN_FLIGHT};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use sqlx::PgConnection;

use super::EndpointWithSecret;
use super::form::{Form, check_accounts, check_address};
use crate::access::{Admin, Person, Tenant};
use crate::answer::Created;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::Body;

/// An endpoint to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(
    name = "NewWebhookEndpoint",
    example = json!({
        "url": "https://hooks.example.com/plumbline",
        "events": ["drift.*", "scan.failed"],
        "description": "tells the on-call channel",
        "headers": {"Authorization": "Bearer 3kTq9XbZ"},
        "max_in_flight": 10,
        "rate_per_second": 50
    })
))]
pub(super) struct NewEndpoint {
    /// Where to: https, a name that leads to public addresses, at most 1024 characters.
    url: String,
    /// 1 to 10 types of the catalogue, exact or as `drift.*`.
    events: Vec<String>,
    /// What it is for, up to 500 characters.
    #[serde(default)]
    description: String,
    /// Only events about these cloud accounts, or about none; absent or empty: all. At most 100.
    #[serde(default)]
    cloud_account_ids: Vec<String>,
    /// Up to 10 headers to add to each delivery, such as one that authenticates us. Stored sealed, never shown.
    #[serde(default)]
    headers: CustomHeaders,
    /// Deliveries at once, 1 to 100; 10 where nothing is said.
    max_in_flight: Option<i64>,
    /// Deliveries that begin in a second, 0.1 to 1000; any number where nothing is said.
    rate_per_second: Option<f64>,
}

impl NewEndpoint {
    fn form(&self) -> Form<'_> {
        Form {
            url: Some(&self.url),
            events: Some(&self.events),
            description: Some(&self.description),
            headers: Some(&self.headers),
            cloud_account_ids: Some(&self.cloud_account_ids),
            max_in_flight: self.max_in_flight,
            rate_per_second: self.rate_per_second,
        }
    }
}

/// Checks under the organisation's lock that it may have one more.
async fn require_room(conn: &mut PgConnection, org: OrgId) -> Result<(), Problem> {
    db::org::lock(conn, org).await?.ok_or(Problem::not_found("organisation"))?;
    if db::webhook_endpoint::count(conn, org).await? < MOST_ENDPOINTS {
        return Ok(());
    }
    Err(Problem::conflict(
        "too_many_endpoints",
        format!(
            "an organisation has at most {MOST_ENDPOINTS} webhook endpoints: delete one that is not needed any more"
        ),
    ))
}

/// Subscribe an address to events
///
/// The signing secret is in `raw_secret` of this answer and never again; a repeated Idempotency-Key repeats it for 24 hours. The
/// address is looked up now and again at every delivery: all that its name leads to must be public.
#[endpoint(
    operation_id = "create_webhook_endpoint",
    tags("outbound-webhooks"),
    responses((status_code = 409, description = "There are 20 already, or a request with this Idempotency-Key is still running"))
)]
pub(super) async fn create(
    tenant: Tenant<Person<Admin>>,
    body: Body<NewEndpoint>,
    idempotency: Idempotency,
) -> Result<Created<EndpointWithSecret>, Problem> {
    let Body(new) = body;
    let checked = new.form().check(&tenant.app.outbound().allowed)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    if let Some(url) = &checked.url {
        check_address(&tenant.app, url).await?;
    }
    let cloud_account_ids = checked.cloud_account_ids.unwrap_or_default();
    let mut tx = tenant.app.begin().await?;
    require_room(&mut tx, tenant.org).await?;
    check_accounts(&mut tx, tenant.org, &cloud_account_ids).await?;
    let settings = Settings {
        // As it was read: that is what will be called.
        url: checked.url.as_ref().map_or(new.url.as_str(), Url::as_str),
        description: &new.description,
        events: checked.events.as_deref().unwrap_or(&new.events),
        cloud_account_ids: &cloud_account_ids,
        max_in_flight: checked.max_in_flight.unwrap_or(USUAL_IN_FLIGHT),
        rate: new.rate_per_second,
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let by = (By { actor: &actor, origin: &origin }, tenant.app.keyring());
    let made = endpoints::create(&mut tx, by, tenant.org, settings, &new.headers).await?;
    let place = format!("/api/v2/orgs/{}/webhook-endpoints/{}", tenant.org, made.endpoint.id);
    attempt.commit(tx, Created::new(&EndpointWithSecret::from(made))?.location(&place)).await
}
