//! `DELETE /orgs/{id}/api-keys/{key_id}` and `POST …/revoke`: the same, told differently.

use jobs::audit::Action;
use jobs::db;
use jobs::events::EventType;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{ApiKey, facts, record, tell, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::PathId;

/// Revoke a key
///
/// A key that is revoked already is 404, which callers can take for success.
#[endpoint(operation_id = "revoke_api_key", tags("api-keys"))]
pub(super) async fn delete(tenant: Tenant<Person<Admin>>, key_id: PathId<ApiKeyId>) -> Result<NoContent, Problem> {
    end(&tenant, key_id.0).await?;
    Ok(NoContent)
}

/// Revoke a key in a way that can be undone
///
/// Requests with the key get 401 from then on; `activate` brings it back.
#[endpoint(operation_id = "deactivate_api_key", tags("api-keys"))]
pub(super) async fn revoke(tenant: Tenant<Person<Admin>>, key_id: PathId<ApiKeyId>) -> Result<Json<ApiKey>, Problem> {
    end(&tenant, key_id.0).await.map(Json)
}

async fn end(tenant: &Tenant<Person<Admin>>, id: ApiKeyId) -> Result<ApiKey, Problem> {
    let mut tx = tenant.app.begin().await?;
    let key = db::api_key::revoke(&mut tx, tenant.org, id).await?.ok_or(unknown())?;
    tell(&mut tx, tenant, (EventType::ApiKeyRevoked, &key)).await?;
    record(&mut tx, tenant, (Action::ApiKeyRevoked, &key), facts(&key)).await?;
    tx.commit().await?;
    Ok(key.into())
}
