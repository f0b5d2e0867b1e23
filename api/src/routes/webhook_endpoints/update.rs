//! `PATCH /orgs/{id}/webhook-endpoints/{endpoint_id}`

use jobs::audit::By;
use jobs::db::webhook_endpoint::{self, Activity, Settings};
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::address::Url;
use jobs::webhooks::endpoint::{self as endpoints, CustomHeaders};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Deserialize;

use super::form::{Checked, Form, check_accounts, check_address};
use super::{Endpoint, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::problem::Problem;
use crate::request::{Body, PathId, given};

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "WebhookEndpointChange", example = json!({"events": ["drift.*"], "active": false})))]
pub(super) struct Change {
    /// As at the creation. The deliveries that wait go there, too.
    url: Option<String>,
    /// As at the creation.
    events: Option<Vec<String>>,
    /// Up to 500 characters; an empty text removes it.
    description: Option<String>,
    /// Up to 100; none means all.
    cloud_account_ids: Option<Vec<String>>,
    /// In place of all that there are; `{}` removes them.
    headers: Option<CustomHeaders>,
    /// 1 to 100.
    max_in_flight: Option<i64>,
    /// 0.1 to 1000; null removes the limit.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Option<f64>))]
    #[allow(clippy::option_option, reason = "absent, null and a number are three things")]
    rate_per_second: Option<Option<f64>>,
    /// false pauses: deliveries wait, nothing is attempted and nothing counts as a failure. true resumes an endpoint that is paused or
    /// disabled, and forgets its failures.
    active: Option<bool>,
}

impl Change {
    fn form(&self) -> Form<'_> {
        Form {
            url: self.url.as_deref(),
            events: self.events.as_deref(),
            description: self.description.as_deref(),
            headers: self.headers.as_ref(),
            cloud_account_ids: self.cloud_account_ids.as_deref(),
            max_in_flight: self.max_in_flight,
            rate_per_second: self.rate_per_second.flatten(),
        }
    }

    /// What the endpoint is to be.
    fn settings<'a>(&'a self, checked: &'a Checked, before: Settings<'a>) -> Settings<'a> {
        Settings {
            url: checked.url.as_ref().map_or(before.url, Url::as_str),
            description: self.description.as_deref().unwrap_or(before.description),
            events: checked.events.as_deref().unwrap_or(before.events),
            cloud_account_ids: checked.cloud_account_ids.as_deref().unwrap_or(before.cloud_account_ids),
            max_in_flight: checked.max_in_flight.unwrap_or(before.max_in_flight),
            rate: self.rate_per_second.unwrap_or(before.rate),
        }
    }

    fn activity(&self, before: &webhook_endpoint::Endpoint) -> Activity {
        match self.active {
            Some(true) if !before.is_active() => Activity::Active,
            Some(false) if before.paused_at.is_none() => Activity::Paused,
            _ => Activity::Unchanged,
        }
    }

    /// Headers to store: values are sealed and not compared, so any that are given are new.
    fn headers(&self, before: &webhook_endpoint::Endpoint) -> Option<&CustomHeaders> {
        self.headers.as_ref().filter(|headers| !(headers.is_empty() && before.header_names.is_empty()))
    }
}

/// Asks where a URL leads, unless the endpoint has it already. Should somebody change the endpoint in between, a URL gets by that was
/// checked when it was saved before; deliveries check it anew.
async fn check_new_address(
    tenant: &Tenant<Person<Admin>>,
    id: WebhookEndpointId,
    url: Option<&Url>,
) -> Result<(), Problem> {
    let Some(url) = url else { return Ok(()) };
    let mut conn = tenant.app.pool().acquire().await?;
    let endpoint = webhook_endpoint::find(&mut conn, tenant.org, id).await?.ok_or(unknown())?;
    drop(conn);
    if endpoint.url == url.as_str() { Ok(()) } else { check_address(&tenant.app, url).await }
}

/// Change address, events or limits of an endpoint, or pause it
#[endpoint(operation_id = "update_webhook_endpoint", tags("outbound-webhooks"))]
pub(super) async fn update(
    tenant: Tenant<Person<Admin>>,
    endpoint_id: PathId<WebhookEndpointId>,
    body: Body<Change>,
) -> Result<Json<Endpoint>, Problem> {
    let Body(change) = body;
    let checked = change.form().check(&tenant.app.outbound().allowed)?;
    check_new_address(&tenant, endpoint_id.0, checked.url.as_ref()).await?;
    let mut tx = tenant.app.begin().await?;
    let before = webhook_endpoint::lock(&mut tx, tenant.org, endpoint_id.0).await?.ok_or(unknown())?;
    let settings = change.settings(&checked, before.settings());
    let (headers, activity) = (change.headers(&before), change.activity(&before));
    if settings == before.settings() && headers.is_none() && activity == Activity::Unchanged {
        return Ok(Json(before.into()));
    }
    check_accounts(&mut tx, tenant.org, settings.cloud_account_ids).await?;
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let by = (By { actor: &actor, origin: &origin }, tenant.app.keyring());
    let after = endpoints::update(&mut tx, by, &before, settings, (headers, activity)).await?;
    tx.commit().await?;
    Ok(Json(after.into()))
}
