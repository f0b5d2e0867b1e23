//! `POST /orgs/{id}/api-keys/{key_id}/activate`

use chrono::Utc;
use jobs::audit::Action;
use jobs::db;
use jobs::domain::ApiKeyStatus;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{ApiKey, facts, record, require_room, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::problem::Problem;
use crate::request::PathId;

/// Bring a revoked key back
///
/// Not one whose time limit or rotation grace has passed.
#[endpoint(
    operation_id = "activate_api_key",
    tags("api-keys"),
    responses(
        (status_code = 402, description = "The plan's number of API keys is reached"),
        (status_code = 409, description = "The key is not revoked, or has expired")
    )
)]
pub(super) async fn activate(tenant: Tenant<Person<Admin>>, key_id: PathId<ApiKeyId>) -> Result<Json<ApiKey>, Problem> {
    let mut tx = tenant.app.begin().await?;
    // The organisation before the key, as everywhere: two orders would deadlock.
    require_room(&mut tx, tenant.org).await?;
    let key = db::api_key::lock(&mut tx, tenant.org, key_id.0).await?.ok_or(unknown())?;
    if key.status != ApiKeyStatus::Revoked {
        return Err(Problem::conflict("key_not_revoked", "this API key is not revoked"));
    }
    let ends = [key.expires_at, key.grace_ends_at].into_iter().flatten().min();
    if ends.is_some_and(|end| end <= Utc::now()) {
        return Err(Problem::conflict(
            "key_expired",
            "this API key has expired and cannot come back: create a new one",
        ));
    }
    let key = db::api_key::activate(&mut tx, tenant.org, key.id).await?;
    record(&mut tx, &tenant, (Action::ApiKeyActivated, &key), facts(&key)).await?;
    tx.commit().await?;
    Ok(Json(key.into()))
}
