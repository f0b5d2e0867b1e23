//! `PATCH /orgs/{id}/api-keys/{key_id}`

use jobs::audit::Action;
use jobs::db;
use jobs::domain::Role;
use jobs::ids::ApiKeyId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Deserialize;
use serde_json::json;

use super::{ApiKey, check_role, record, unknown};
use crate::access::{Admin, Person, Tenant};
use crate::problem::Problem;
use crate::request::{Body, PathId};

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ApiKeyChange", example = json!({"name": "ci-weekly", "role": "viewer"})))]
pub(super) struct Change {
    /// 3 to 128 characters.
    name: Option<String>,
    /// Up to 500 characters; an empty text removes it.
    description: Option<String>,
    /// admin, member or viewer, at most your own.
    #[salvo(schema(value_type = Option<String>))]
    role: Option<Role>,
}

pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if (3..=128).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(Problem::invalid("name", "must be 3 to 128 characters"))
}

pub(super) fn check_description(description: Option<&str>) -> Result<(), Problem> {
    if description.is_none_or(|text| text.chars().count() <= 500) {
        return Ok(());
    }
    Err(Problem::invalid("description", "must be at most 500 characters"))
}

/// Rename a key or give it another role
///
/// Scopes, environment and time limit are fixed at creation.
#[endpoint(operation_id = "update_api_key", tags("api-keys"))]
pub(super) async fn update(
    tenant: Tenant<Person<Admin>>,
    key_id: PathId<ApiKeyId>,
    body: Body<Change>,
) -> Result<Json<ApiKey>, Problem> {
    let Body(change) = body;
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    check_description(change.description.as_deref())?;
    if let Some(role) = change.role {
        check_role(role, tenant.role)?;
    }
    let mut tx = tenant.app.begin().await?;
    let before = db::api_key::lock(&mut tx, tenant.org, key_id.0).await?.ok_or(unknown())?;
    let mut wanted = before.clone();
    wanted.name = change.name.unwrap_or(wanted.name);
    if let Some(description) = change.description {
        wanted.description = Some(description).filter(|text| !text.is_empty());
    }
    wanted.role = change.role.unwrap_or(wanted.role);
    if wanted == before {
        return Ok(Json(before.into()));
    }
    let after = db::api_key::update(&mut tx, tenant.org, &wanted).await?;
    let details = json!({
        "before": {"name": before.name, "description": before.description, "role": before.role},
        "after": {"name": after.name, "description": after.description, "role": after.role},
    });
    record(&mut tx, &tenant, (Action::ApiKeyUpdated, &after), details).await?;
    tx.commit().await?;
    Ok(Json(after.into()))
}
