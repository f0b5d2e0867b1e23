//! `DELETE /orgs/{id}/state-sources/{src_id}`

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::state_source;
use jobs::ids::StateSourceId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use serde_json::json;

use crate::access::{Member, Tenant};
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::PathId;

/// Remove a state source
///
/// What was ingested is kept for audit, but drift no longer uses it.
#[endpoint(operation_id = "delete_state_source", tags("state-sources"))]
pub(super) async fn delete_state_source(
    tenant: Tenant<Member>,
    src_id: PathId<StateSourceId>,
) -> Result<NoContent, Problem> {
    let mut tx = tenant.app.begin().await?;
    if !state_source::delete(&mut tx, tenant.org, src_id.0).await? {
        return Err(Problem::not_found("state source"));
    }
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::StateSourceDeleted,
        target: Target { kind: "state_source", id: src_id.0.to_string() },
        details: json!({}),
    };
    append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(NoContent)
}
