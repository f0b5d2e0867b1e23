//! `POST /orgs/{id}/api-keys/{key_id}/purge`

use jobs::audit::Action;
use jobs::db;
use jobs::domain::ApiKeyStatus;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::endpoint;

use super::{facts, record, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::PathId;

/// Delete a revoked key for good
///
/// The audit chain's rows about it stay.
#[endpoint(
    operation_id = "purge_api_key",
    tags("api-keys"),
    responses((status_code = 409, description = "The key is not revoked"))
)]
pub(super) async fn purge(tenant: Tenant<Person<Admin>>, key_id: PathId<ApiKeyId>) -> Result<NoContent, Problem> {
    let mut tx = tenant.app.begin().await?;
    let key = db::api_key::lock(&mut tx, tenant.org, key_id.0).await?.ok_or(unknown())?;
    if key.status != ApiKeyStatus::Revoked {
        return Err(Problem::conflict("key_not_revoked", "only a revoked API key can be purged: revoke it first"));
    }
    db::api_key::purge(&mut tx, tenant.org, key.id).await?;
    record(&mut tx, &tenant, (Action::ApiKeyPurged, &key), facts(&key)).await?;
    tx.commit().await?;
    Ok(NoContent)
}
