//! API keys: machines' credentials for one organisation.
//!
//! Whoever may manage keys could take over the organisation with one, so a key never carries the role owner and never more
//! than its creator; and everything that ends or replaces a key needs a person, so that a stolen key cannot lock others out.

mod activate;
mod create;
mod get;
mod list;
mod purge;
mod regenerate;
mod revoke;
mod rotate;
mod update;

use chrono::{DateTime, Utc};
use jobs::audit::{self, Action, Entry, Target};
use jobs::db;
use jobs::domain::{ApiKeyStatus, Role};
use jobs::events::{EventType, KeyChange, record_api_key};
use jobs::ids::{ApiKeyId, OrgId};
use jobs::plan;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::Tenant;
use crate::problem::{PlanLimit, Problem};

/// An API key. The secret is in `raw_key` of the answer that made it, and empty ever after.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "ApiKey",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "name": "ci-nightly",
        "description": "scans at night",
        "environment": "live",
        "role": "member",
        "scopes": ["read", "write"],
        "key_prefix": "pl_live_3kTq9XbZ",
        "raw_key": "",
        "status": "active",
        "is_active": true,
        "rotated_from": null,
        "grace_ends_at": null,
        "expires_at": "2026-12-31T00:00:00Z",
        "revoked_at": null,
        "last_used_at": null,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z"
    })
))]
struct ApiKey {
    /// Its id.
    id: Uuid,
    /// Name that people see.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// live, or test for development and dry runs.
    environment: &'static str,
    /// The most it may do: admin, member or viewer.
    role: &'static str,
    /// read and/or write.
    scopes: Vec<String>,
    /// The first 16 characters, which stay visible.
    key_prefix: String,
    /// The key itself, once: in the answer that made it.
    raw_key: String,
    /// active, expired or revoked.
    status: &'static str,
    /// Whether it works.
    is_active: bool,
    /// The key that this one succeeds.
    rotated_from: Option<Uuid>,
    /// Until when it works after it was rotated.
    grace_ends_at: Option<DateTime<Utc>>,
    /// 8h, 24h, 1w, 1m (30 days) or custom; null is none.
    time_limit: Option<&'static str>,
    /// When the time limit is over.
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Last change of its fields.
    updated_at: DateTime<Utc>,
}

impl ApiKey {
    fn showing(key: db::api_key::ApiKey, raw_key: String) -> Self {
        Self { raw_key, ..key.into() }
    }
}

impl From<db::api_key::ApiKey> for ApiKey {
    fn from(key: db::api_key::ApiKey) -> Self {
        Self {
            id: key.id.uuid(),
            name: key.name,
            description: key.description,
            environment: key.environment.as_str(),
            role: key.role.as_str(),
            scopes: key.scopes,
            key_prefix: key.key_prefix,
            raw_key: String::new(),
            status: key.status.as_str(),
            is_active: key.status == ApiKeyStatus::Active,
            rotated_from: key.rotated_from.map(ApiKeyId::uuid),
            grace_ends_at: key.grace_ends_at,
            time_limit: key.expires_at.map(|end| create::Lifetime::name_of(end - key.created_at)),
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
        }
    }
}

pub(super) fn router() -> Router {
    Router::with_path("api-keys").get(list::list).post(create::create).push(
        Router::with_path("{key_id}")
            .get(get::get)
            .patch(update::update)
            .delete(revoke::delete)
            .push(Router::with_path("rotate").post(rotate::rotate))
            .push(Router::with_path("regenerate").post(regenerate::regenerate))
            .push(Router::with_path("revoke").post(revoke::revoke))
            .push(Router::with_path("activate").post(activate::activate))
            .push(Router::with_path("purge").post(purge::purge)),
    )
}

const fn unknown() -> Problem {
    Problem::not_found("API key")
}

/// Checks under the organisation's lock that its plan has room for one more key.
async fn require_room(conn: &mut PgConnection, org: OrgId) -> Result<(), Problem> {
    let plan = db::org::lock(conn, org).await?.ok_or(Problem::not_found("organisation"))?;
    let used = db::api_key::count_active(conn, org).await?;
    PlanLimit::check("API keys", plan, plan::limits(plan).api_keys, (used, 1))
}

/// A key can do no more than whoever makes it, and the API never makes an owner; the command line on the server may.
fn check_role(role: Role, creator: Role) -> Result<(), Problem> {
    if role == Role::Owner {
        return Err(Problem::invalid("role", "a key is never an owner: use admin, member or viewer"));
    }
    check_not_above(role, creator)
}

/// Nobody gets at a key that can do more than they can.
fn check_not_above(role: Role, creator: Role) -> Result<(), Problem> {
    if creator.covers(role) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "insufficient_role",
        format!("a key of the role {role} can do more than you, whose role is {creator}"),
    ))
}

/// Writes a change of a key into the audit chain.
async fn record<P>(
    conn: &mut PgConnection,
    tenant: &Tenant<P>,
    (action, key): (Action, &db::api_key::ApiKey),
    details: Value,
) -> Result<(), Problem> {
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action,
        target: Target { kind: "api_key", id: key.id.to_string() },
        details,
    };
    audit::append(conn, &entry).await?;
    Ok(())
}

/// Tells those who asked for it that a key came or went.
async fn tell<P>(
    conn: &mut PgConnection,
    tenant: &Tenant<P>,
    (event_type, key): (EventType, &db::api_key::ApiKey),
) -> Result<(), Problem> {
    let change = KeyChange { org_id: tenant.org, key, actor: &tenant.caller.actor() };
    record_api_key(conn, event_type, change).await?;
    Ok(())
}

/// What the audit chain tells of a key.
fn facts(key: &db::api_key::ApiKey) -> Value {
    json!({
        "name": key.name,
        "environment": key.environment,
        "role": key.role,
        "scopes": key.scopes,
        "key_prefix": key.key_prefix,
        "expires_at": key.expires_at,
    })
}
