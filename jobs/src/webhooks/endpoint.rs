//! Endpoints over their lives: created, changed, paused, given new secrets, deleted by people; disabled by us. Each change keeps the
//! limits of its deliveries in step ([`group_limit`]) and writes its row of the audit chain, in the caller's transaction.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;
use url::Url;

use super::sealed::{self, Place, Slot};
use super::secret::Secret;
use crate::audit::{Action, Actor, AppendError, By, Origin, Target, append};
use crate::crypto::{Keyring, OpenError};
use crate::db::webhook_delivery::{DISABLED_AFTER_DAYS, THROTTLED_FROM};
use crate::db::webhook_endpoint::{self, Activity, Endpoint, Headers, Settings, StoredSecret};
use crate::db::webhook_replay;
use crate::events::{Disabled, record_webhook_disabled};
use crate::ids::{OrgId, WebhookEndpointId};
use crate::kinds::deliver_webhook::DeliverWebhook;
use crate::queue::group_limit::{self, GroupLimit};

/// Endpoints of an organisation.
pub const MOST_ENDPOINTS: i64 = 20;
/// Deliveries at once of an endpoint whose owner says nothing else.
pub const USUAL_IN_FLIGHT: i32 = 10;
/// For how long a secret that was replaced goes on signing where nothing is said, in hours.
pub const USUAL_GRACE_HOURS: i32 = 24;
/// The longest it may, in hours.
pub const LONGEST_GRACE_HOURS: i32 = 7 * 24;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The audit chain could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
    /// A secret could not be sealed, or opened to be sealed anew.
    #[error("the endpoint's secret: {0}")]
    Sealed(#[from] OpenError),
    /// The secret before the last rotation still signs.
    #[error(
        "the secret was rotated not long ago, and the one before it signs until {0}: wait for that, or rotate with grace_hours 0, \
         which ends both at once"
    )]
    InGrace(chrono::DateTime<chrono::Utc>),
}

/// Headers that an endpoint's owner adds, by name.
pub type CustomHeaders = BTreeMap<String, String>;

/// An endpoint and the secret that was made for it, to be shown once.
#[derive(Debug)]
pub struct WithSecret {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The secret.
    pub secret: Secret,
}

fn seal_headers(keyring: &Keyring, place: Place, headers: &CustomHeaders) -> Result<Option<Vec<u8>>, OpenError> {
    if headers.is_empty() { Ok(None) } else { sealed::seal_headers(keyring, place, headers).map(Some) }
}

/// Creates an endpoint. The caller has locked the organisation and found room.
///
/// # Errors
/// See [`ChangeError`].
pub async fn create(
    conn: &mut PgConnection,
    (by, keyring): (By<'_>, &Keyring),
    org_id: OrgId,
    settings: Settings<'_>,
    headers: &CustomHeaders,
) -> Result<WithSecret, ChangeError> {
    let place = Place { org_id, endpoint_id: WebhookEndpointId::new() };
    let secret = Secret::generate();
    let stored = sealed::seal_secret(keyring, place, Slot::Current, &secret)?;
    let stored = StoredSecret { sealed: &stored, prefix: &secret.visible() };
    let names: Vec<String> = headers.keys().cloned().collect();
    let sealed = seal_headers(keyring, place, headers)?;
    let headers = Headers { names: &names, sealed: sealed.as_deref() };
    let endpoint = webhook_endpoint::insert(conn, (org_id, place.endpoint_id), settings, headers, stored).await?;
    limit(conn, &endpoint).await?;
    write_down(conn, by, (Action::WebhookEndpointCreated, &endpoint), facts(&endpoint)).await?;
    Ok(WithSecret { endpoint, secret })
}

/// Changes an endpoint that the caller has locked; `before` is how it was.
///
/// # Errors
/// See [`ChangeError`].
pub async fn update(
    conn: &mut PgConnection,
    (by, keyring): (By<'_>, &Keyring),
    before: &Endpoint,
    settings: Settings<'_>,
    (headers, activity): (Option<&CustomHeaders>, Activity),
) -> Result<Endpoint, ChangeError> {
    let place = Place { org_id: before.org_id, endpoint_id: before.id };
    let names: Vec<String> = headers.into_iter().flat_map(BTreeMap::keys).cloned().collect();
    let sealed = headers.map(|headers| seal_headers(keyring, place, headers)).transpose()?.flatten();
    let headers = headers.map(|_| Headers { names: &names, sealed: sealed.as_deref() });
    let key = (before.org_id, before.id);
    let after = webhook_endpoint::update(conn, key, settings, headers, activity).await?;
    limit(conn, &after).await?;
    let details = json!({"before": facts(before), "after": facts(&after)});
    write_down(conn, by, (Action::WebhookEndpointUpdated, &after), details).await?;
    Ok(after)
}

/// Gives an endpoint that the caller has locked a new secret. The old one goes on signing beside it for `grace_hours`.
///
/// # Errors
/// See [`ChangeError`].
pub async fn rotate(
    conn: &mut PgConnection,
    (by, keyring): (By<'_>, &Keyring),
    endpoint: &Endpoint,
    grace_hours: i32,
) -> Result<WithSecret, ChangeError> {
    // There is one place for a secret that still signs.
    if let Some(until) = endpoint.previous_secret_expires_at.filter(|_| grace_hours > 0) {
        return Err(ChangeError::InGrace(until));
    }
    let key = (endpoint.org_id, endpoint.id);
    let place = Place { org_id: endpoint.org_id, endpoint_id: endpoint.id };
    let previous = if grace_hours > 0 {
        let stored = webhook_endpoint::secret(conn, endpoint.org_id, endpoint.id).await?;
        let old = sealed::open_secret(keyring, place, Slot::Current, &stored)?;
        Some(sealed::seal_secret(keyring, place, Slot::Previous, &old)?)
    } else {
        None
    };
    let secret = Secret::generate();
    let stored = sealed::seal_secret(keyring, place, Slot::Current, &secret)?;
    let stored = StoredSecret { sealed: &stored, prefix: &secret.visible() };
    let rotated = webhook_endpoint::rotate(conn, key, stored, previous.as_deref(), grace_hours).await?;
    let details = json!({
        "secret_prefix": rotated.secret_prefix,
        "previous_secret_expires_at": rotated.previous_secret_expires_at,
    });
    write_down(conn, by, (Action::WebhookSecretRotated, &rotated), details).await?;
    Ok(WithSecret { endpoint: rotated, secret })
}

/// Deletes an endpoint that the caller has locked. What was not sent to it is cancelled: nothing is sent any more, and each of its
/// jobs ends when its time comes.
///
/// # Errors
/// See [`ChangeError`].
pub async fn delete(conn: &mut PgConnection, by: By<'_>, endpoint: &Endpoint) -> Result<(), ChangeError> {
    webhook_endpoint::delete(conn, endpoint.org_id, endpoint.id).await?;
    webhook_replay::cancel_open(conn, endpoint.org_id, endpoint.id).await?;
    // Paused deliveries, too, shall come up and be cancelled.
    set_limit(conn, endpoint, endpoint.max_in_flight, None).await?;
    write_down(conn, by, (Action::WebhookEndpointDeleted, endpoint), facts(endpoint)).await
}

/// Disables an endpoint and tells the organisation's others; does nothing where it is disabled already.
///
/// # Errors
/// See [`ChangeError`].
pub async fn disable(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: WebhookEndpointId,
    reason: &str,
) -> Result<(), ChangeError> {
    let Some(endpoint) = webhook_endpoint::disable(conn, org_id, id, reason).await? else {
        return Ok(());
    };
    let disabled = Disabled {
        org_id,
        endpoint_id: id,
        url_host: &host(&endpoint.url),
        reason,
        failed_deliveries: u64::try_from(endpoint.failed_deliveries).unwrap_or_default(),
    };
    record_webhook_disabled(conn, disabled).await?;
    let by = By { actor: &Actor::platform(), origin: &Origin::default() };
    let details = json!({"reason": reason, "failed_deliveries": endpoint.failed_deliveries});
    write_down(conn, by, (Action::WebhookEndpointDisabled, &endpoint), details).await
}

/// Disables the endpoint that has failed longest of those that have for too long, though no attempt shows it any more; `None` where
/// there is none. In a transaction.
///
/// # Errors
/// See [`ChangeError`].
pub async fn disable_overdue(conn: &mut PgConnection) -> Result<Option<WebhookEndpointId>, ChangeError> {
    let Some((org_id, id)) = webhook_endpoint::lock_overdue(conn).await? else {
        return Ok(None);
    };
    disable(conn, org_id, id, &failing_reason()).await?;
    Ok(Some(id))
}

/// What is told of an endpoint that is disabled because it has failed for too long.
#[must_use]
pub fn failing_reason() -> String {
    format!("no delivery has succeeded for {DISABLED_AFTER_DAYS} days")
}

/// Holds deliveries to what the endpoint can take now.
async fn limit(conn: &mut PgConnection, endpoint: &Endpoint) -> sqlx::Result<()> {
    let max_running = match endpoint {
        Endpoint { paused_at: Some(_), .. } => 0,
        Endpoint { consecutive_failures, .. } if *consecutive_failures >= THROTTLED_FROM => 1,
        Endpoint { max_in_flight, .. } => *max_in_flight,
    };
    set_limit(conn, endpoint, max_running, endpoint.rate).await
}

async fn set_limit(
    conn: &mut PgConnection,
    endpoint: &Endpoint,
    max_running: i32,
    rate: Option<f64>,
) -> sqlx::Result<()> {
    let group = endpoint.id.to_string();
    let limit = GroupLimit { tenant: endpoint.org_id.uuid(), group: &group, max_running, rate };
    group_limit::set::<DeliverWebhook>(conn, limit).await
}

/// What the audit chain tells of an endpoint. Of its URL no query, which may hold a credential.
fn facts(endpoint: &Endpoint) -> Value {
    json!({
        "url": without_query(&endpoint.url),
        "description": endpoint.description,
        "events": endpoint.events,
        "cloud_account_ids": endpoint.cloud_account_ids,
        "header_names": endpoint.header_names,
        "max_in_flight": endpoint.max_in_flight,
        "rate_per_second": endpoint.rate.map(|rate| rate.to_string()),
        "active": endpoint.is_active(),
    })
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

async fn write_down(
    conn: &mut PgConnection,
    by: By<'_>,
    (action, endpoint): (Action, &Endpoint),
    details: Value,
) -> Result<(), ChangeError> {
    let target = Target { kind: "webhook_endpoint", id: endpoint.id.to_string() };
    append(conn, &by.entry(Some(endpoint.org_id), action, target, details)).await?;
    Ok(())
}
