//! `POST /orgs/{id}/api-keys/{key_id}/regenerate`

use jobs::audit::Action;
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::ApiKeyStatus;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use serde_json::json;

use super::{ApiKey, check_not_above, record, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::answer::Done;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::PathId;

/// Replace the secret at once, same key id
///
/// The former value stops working immediately; the new one is shown once.
#[endpoint(operation_id = "regenerate_api_key", tags("api-keys"))]
pub(super) async fn regenerate(
    tenant: Tenant<Person<Admin>>,
    key_id: PathId<ApiKeyId>,
    idempotency: Idempotency,
) -> Result<Done<ApiKey>, Problem> {
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let mut tx = tenant.app.begin().await?;
    let old = db::api_key::lock(&mut tx, tenant.org, key_id.0).await?.ok_or(unknown())?;
    if old.status != ApiKeyStatus::Active {
        return Err(Problem::conflict(
            "key_not_active",
            format!("this API key is {}: only an active one can get a new secret", old.status),
        ));
    }
    check_not_above(old.role, tenant.role)?;
    let raw_key = api_key::generate(KeyKind::Org(old.environment));
    let key = db::api_key::regenerate(&mut tx, tenant.org, old.id, &raw_key).await?;
    let details = json!({"former_key_prefix": old.key_prefix, "key_prefix": key.key_prefix});
    record(&mut tx, &tenant, (Action::ApiKeyRegenerated, &key), details).await?;
    attempt.commit(tx, Done::new(&ApiKey::showing(key, raw_key))?).await
}
