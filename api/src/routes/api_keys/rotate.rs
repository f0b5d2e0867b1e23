//! `POST /orgs/{id}/api-keys/{key_id}/rotate`

use chrono::{DateTime, Utc};
use jobs::audit::Action;
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{ApiKeyStatus, Scope};
use jobs::events::EventType;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{check_not_above, record, tell, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::answer::Created;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::PathId;

/// A key's successor.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "RotatedApiKey",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "raw_key": "pl_live_3kTq9XbZ…",
        "key_prefix": "pl_live_3kTq9XbZ",
        "previous_key_id": "01890a5d-ac96-774b-bcce-b302099a8056",
        "previous_expires_at": "2026-01-02T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z"
    })
))]
pub(super) struct Rotated {
    /// The successor's id.
    id: Uuid,
    /// The successor itself, once.
    raw_key: String,
    /// Its first 16 characters.
    key_prefix: String,
    /// The key that was rotated.
    previous_key_id: Uuid,
    /// Until when that one works.
    previous_expires_at: DateTime<Utc>,
    /// When the successor was created.
    created_at: DateTime<Utc>,
}

/// Issue a successor; the old secret works for 24 more hours
///
/// The successor has the key's name, role, scopes and time limit. A key that has a successor already is 409.
#[endpoint(operation_id = "rotate_api_key", tags("api-keys"))]
pub(super) async fn rotate(
    tenant: Tenant<Person<Admin>>,
    key_id: PathId<ApiKeyId>,
    idempotency: Idempotency,
) -> Result<Created<Rotated>, Problem> {
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let mut tx = tenant.app.begin().await?;
    let old = db::api_key::lock(&mut tx, tenant.org, key_id.0).await?.ok_or(unknown())?;
    match old.status {
        ApiKeyStatus::Revoked => return Err(unknown()),
        ApiKeyStatus::Expired => {
            return Err(Problem::conflict("key_expired", "this API key has expired: create a new one"));
        }
        ApiKeyStatus::Active if old.grace_ends_at.is_some() => {
            return Err(Problem::conflict(
                "key_in_grace",
                "this API key was rotated and has a successor: rotate that one",
            ));
        }
        ApiKeyStatus::Active => {}
    }
    check_not_above(old.role, tenant.role)?;
    let scopes: Vec<Scope> = old.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    let raw_key = api_key::generate(KeyKind::Org(old.environment));
    let new = db::api_key::NewApiKey {
        org_id: tenant.org,
        name: &old.name,
        description: old.description.as_deref(),
        environment: old.environment,
        role: old.role,
        scopes: &scopes,
        raw_key: &raw_key,
        created_by: tenant.caller.user().map(|user| user.id),
        rotated_from: Some(old.id),
        expires_at: old.expires_at,
    };
    let successor = db::api_key::insert(&mut tx, &new).await?;
    let grace_ends_at = db::api_key::begin_grace(&mut tx, tenant.org, old.id).await?;
    let details =
        json!({"successor_id": successor.id, "key_prefix": successor.key_prefix, "grace_ends_at": grace_ends_at});
    tell(&mut tx, &tenant, (EventType::ApiKeyCreated, &successor)).await?;
    record(&mut tx, &tenant, (Action::ApiKeyRotated, &old), details).await?;
    let place = format!("/api/v2/orgs/{}/api-keys/{}", tenant.org, successor.id);
    let answer = Created::new(&Rotated {
        id: successor.id.uuid(),
        raw_key,
        key_prefix: successor.key_prefix,
        previous_key_id: old.id.uuid(),
        previous_expires_at: grace_ends_at,
        created_at: successor.created_at,
    })?;
    attempt.commit(tx, answer.location(&place)).await
}
