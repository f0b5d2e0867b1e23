//! Webhook endpoints. What they are limited to is kept in step by [`crate::webhooks::endpoint`]; how they fare is written with the
//! attempts, in [`webhook_delivery`](super::webhook_delivery).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::page::{Listed, Page};
use super::webhook_delivery::{DISABLED_AFTER_DAYS, DISABLED_FROM};
use crate::ids::{CloudAccountId, OrgId, WebhookEndpointId};

/// An endpoint, without its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// The organisation.
    pub org_id: OrgId,
    /// Where to.
    pub url: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Types of events, exact or as `drift.*`.
    pub events: Vec<String>,
    /// Only events about these accounts, or about none; empty: all.
    pub cloud_account_ids: Vec<CloudAccountId>,
    /// Names of the headers that are added.
    pub header_names: Vec<String>,
    /// The beginning of the secret.
    pub secret_prefix: String,
    /// Until when the secret before the last rotation signs, too.
    pub previous_secret_expires_at: Option<DateTime<Utc>>,
    /// Deliveries at once.
    pub max_in_flight: i32,
    /// Deliveries that begin in a second; `None`: any number.
    pub rate: Option<f64>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Since when it is disabled.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Failed attempts since the last success.
    pub consecutive_failures: i32,
    /// Deliveries whose first attempt failed since the last success.
    pub failed_deliveries: i32,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// The last success, to the minute.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Last change by a person.
    pub updated_at: DateTime<Utc>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Endpoint {
    /// Whether events are sent to it.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.paused_at.is_none() && self.disabled_at.is_none()
    }

    /// What its owner has decided.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings {
            url: &self.url,
            description: &self.description,
            events: &self.events,
            cloud_account_ids: &self.cloud_account_ids,
            max_in_flight: self.max_in_flight,
            rate: self.rate,
        }
    }
}

/// Expands to a checked query of whole [`Endpoint`]s between two pieces of SQL.
macro_rules! endpoints {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Endpoint,
            $before
                + r#" id AS "id: WebhookEndpointId", org_id AS "org_id: OrgId", url, description, events,
                cloud_account_ids AS "cloud_account_ids: Vec<CloudAccountId>", header_names, secret_prefix,
                CASE WHEN previous_secret_expires_at > now() THEN previous_secret_expires_at END
                    AS previous_secret_expires_at,
                max_in_flight, rate, paused_at, disabled_at, disabled_reason, consecutive_failures, failed_deliveries,
                failing_since, last_success_at, created_at, updated_at, deleted_at "#
                + $after
            $(, $arg)*
        )
    };
}

/// What its owner decides about an endpoint, and the secrets as they are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings<'a> {
    /// Where to; checked.
    pub url: &'a str,
    /// Up to 500 characters.
    pub description: &'a str,
    /// 1 to 10 types or patterns.
    pub events: &'a [String],
    /// Empty: all.
    pub cloud_account_ids: &'a [CloudAccountId],
    /// 1 to 100.
    pub max_in_flight: i32,
    /// 0.1 to 1000.
    pub rate: Option<f64>,
}

/// Headers that are added, sealed.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// Their names.
    pub names: &'a [String],
    /// Names and values, sealed; `None` where there are none.
    pub sealed: Option<&'a [u8]>,
}

/// A secret as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredSecret<'a> {
    /// Sealed.
    pub sealed: &'a [u8],
    /// Its visible beginning.
    pub prefix: &'a str,
}

/// Stores a new endpoint.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, WebhookEndpointId),
    settings: Settings<'_>,
    headers: Headers<'_>,
    secret: StoredSecret<'_>,
) -> sqlx::Result<Endpoint> {
    let accounts: Vec<_> = settings.cloud_account_ids.iter().map(|id| id.uuid()).collect();
    endpoints!(
        "INSERT INTO webhook_endpoint (id, org_id, url, description, events, cloud_account_ids, max_in_flight, rate,
                                       header_names, headers, secret, secret_prefix)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING",
        "",
        id.uuid(),
        org_id.uuid(),
        settings.url,
        settings.description,
        settings.events,
        &accounts,
        settings.max_in_flight,
        settings.rate,
        headers.names,
        headers.sealed,
        secret.sealed,
        secret.prefix,
    )
    .fetch_one(conn)
    .await
}

/// An endpoint, also a deleted one.
///
/// # Errors
/// The database's.
pub async fn find_any(conn: &mut PgConnection, org_id: OrgId, id: WebhookEndpointId) -> sqlx::Result<Option<Endpoint>> {
    endpoints!("SELECT", "FROM webhook_endpoint WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// An endpoint that is not deleted.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, org_id: OrgId, id: WebhookEndpointId) -> sqlx::Result<Option<Endpoint>> {
    Ok(find_any(conn, org_id, id).await?.filter(|endpoint| endpoint.deleted_at.is_none()))
}

/// An endpoint that is not deleted, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, org_id: OrgId, id: WebhookEndpointId) -> sqlx::Result<Option<Endpoint>> {
    endpoints!(
        "SELECT",
        "FROM webhook_endpoint WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// How many an organisation has.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM webhook_endpoint WHERE org_id = $1 AND deleted_at IS NULL"#,
        org_id.uuid()
    )
    .fetch_one(conn)
    .await
}

/// The newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, page: Page) -> sqlx::Result<Listed<Endpoint>> {
    let total = count(conn, org_id).await?;
    let rows = endpoints!(
        "SELECT",
        "FROM webhook_endpoint WHERE org_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT $2 OFFSET $3",
        org_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// What becomes of an endpoint's being sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// As it is.
    Unchanged,
    /// Paused by its owner.
    Paused,
    /// Neither paused nor disabled; its failures are forgotten.
    Active,
}

/// Changes an endpoint that the caller has locked; headers where there are any to change.
///
/// # Errors
/// The database's.
pub async fn update(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, WebhookEndpointId),
    settings: Settings<'_>,
    headers: Option<Headers<'_>>,
    activity: Activity,
) -> sqlx::Result<Endpoint> {
    if let Some(headers) = headers {
        sqlx::query!(
            "UPDATE webhook_endpoint SET header_names = $3, headers = $4 WHERE org_id = $1 AND id = $2",
            org_id.uuid(),
            id.uuid(),
            headers.names,
            headers.sealed,
        )
        .execute(&mut *conn)
        .await?;
    }
    let accounts: Vec<_> = settings.cloud_account_ids.iter().map(|id| id.uuid()).collect();
    endpoints!(
        "UPDATE webhook_endpoint
            SET url = $3, description = $4, events = $5, cloud_account_ids = $6, max_in_flight = $7, rate = $8,
                updated_at = now(),
                paused_at = CASE WHEN $9 THEN coalesce(paused_at, now()) WHEN $10 THEN NULL ELSE paused_at END,
                disabled_at = CASE WHEN $10 THEN NULL ELSE disabled_at END,
                disabled_reason = CASE WHEN $10 THEN NULL ELSE disabled_reason END,
                consecutive_failures = CASE WHEN $10 THEN 0 ELSE consecutive_failures END,
                failed_deliveries = CASE WHEN $10 THEN 0 ELSE failed_deliveries END,
                failing_since = CASE WHEN $10 THEN NULL ELSE failing_since END
          WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        settings.url,
        settings.description,
        settings.events,
        &accounts,
        settings.max_in_flight,
        settings.rate,
        activity == Activity::Paused,
        activity == Activity::Active,
    )
    .fetch_one(conn)
    .await
}

/// Gives an endpoint that the caller has locked a new secret; the present one signs for `grace_hours` more, none for 0.
///
/// # Errors
/// The database's.
pub async fn rotate(
    conn: &mut PgConnection,
    (org_id, id): (OrgId, WebhookEndpointId),
    secret: StoredSecret<'_>,
    previous: Option<&[u8]>,
    grace_hours: i32,
) -> sqlx::Result<Endpoint> {
    endpoints!(
        "UPDATE webhook_endpoint
            SET secret = $3, secret_prefix = $4, previous_secret = $5, updated_at = now(),
                previous_secret_expires_at = CASE WHEN $5::bytea IS NOT NULL THEN now() + make_interval(hours => $6) END
          WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        secret.sealed,
        secret.prefix,
        previous,
        grace_hours,
    )
    .fetch_one(conn)
    .await
}

/// The secret as it is stored, of an endpoint that the caller has locked.
///
/// # Errors
/// The database's.
pub async fn secret(conn: &mut PgConnection, org_id: OrgId, id: WebhookEndpointId) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("SELECT secret FROM webhook_endpoint WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_one(conn)
        .await
}

/// Deletes an endpoint that the caller has locked; its history stays.
///
/// # Errors
/// The database's.
pub async fn delete(conn: &mut PgConnection, org_id: OrgId, id: WebhookEndpointId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_endpoint SET deleted_at = now(), updated_at = now() WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Disables an endpoint for a reason; `None` when it is disabled already, or deleted.
///
/// # Errors
/// The database's.
pub async fn disable(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: WebhookEndpointId,
    reason: &str,
) -> sqlx::Result<Option<Endpoint>> {
    endpoints!(
        "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = $3
          WHERE org_id = $1 AND id = $2 AND disabled_at IS NULL AND deleted_at IS NULL RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        reason,
    )
    .fetch_optional(conn)
    .await
}

/// The endpoint that has failed longest of those that should be disabled by the rule of
/// [`record`](super::webhook_delivery::record), locked until the transaction ends. Not a paused one, which gets no chance to succeed.
///
/// # Errors
/// The database's.
pub async fn lock_overdue(conn: &mut PgConnection) -> sqlx::Result<Option<(OrgId, WebhookEndpointId)>> {
    let overdue = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: WebhookEndpointId" FROM webhook_endpoint
            WHERE failing_since < now() - make_interval(days => $1) AND failed_deliveries >= $2
              AND paused_at IS NULL AND disabled_at IS NULL AND deleted_at IS NULL
            ORDER BY failing_since LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        DISABLED_AFTER_DAYS,
        DISABLED_FROM,
    )
    .fetch_optional(conn)
    .await?;
    Ok(overdue.map(|endpoint| (endpoint.org_id, endpoint.id)))
}

/// Who is told of an event.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The patterns that match its type, see [`matching`](crate::webhooks::subscription::matching).
    pub patterns: &'a [String],
    /// The account that it is about.
    pub cloud_account_id: Option<CloudAccountId>,
    /// Not this one: the event is about it.
    pub except: Option<WebhookEndpointId>,
    /// These whatever they have asked for.
    pub also: &'a [WebhookEndpointId],
}

/// The endpoints that an event is for: not the disabled ones, but the paused ones, which get it later.
///
/// # Errors
/// The database's.
pub async fn subscribed(
    conn: &mut PgConnection,
    org_id: OrgId,
    about: About<'_>,
) -> sqlx::Result<Vec<WebhookEndpointId>> {
    let also: Vec<_> = about.also.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        r#"SELECT id AS "id: WebhookEndpointId" FROM webhook_endpoint
            WHERE org_id = $1 AND deleted_at IS NULL AND disabled_at IS NULL
              AND (id = ANY ($5)
                   OR events && $2 AND ($3::uuid IS NULL OR cloud_account_ids = '{}' OR $3 = ANY (cloud_account_ids)))
              AND id IS DISTINCT FROM $4
            ORDER BY id"#,
        org_id.uuid(),
        about.patterns,
        about.cloud_account_id.map(CloudAccountId::uuid),
        about.except.map(WebhookEndpointId::uuid),
        &also,
    )
    .fetch_all(conn)
    .await
}

/// Which of these endpoints are an organisation's and not deleted.
///
/// # Errors
/// The database's.
pub async fn own(
    conn: &mut PgConnection,
    org_id: OrgId,
    ids: &[WebhookEndpointId],
) -> sqlx::Result<Vec<WebhookEndpointId>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        r#"SELECT id AS "id: WebhookEndpointId" FROM webhook_endpoint
            WHERE org_id = $1 AND id = ANY ($2) AND deleted_at IS NULL ORDER BY id"#,
        org_id.uuid(),
        &ids,
    )
    .fetch_all(conn)
    .await
}
