//! `DELETE /orgs/{id}/schedules/{sid}`

use jobs::audit::By;
use jobs::db::schedule;
use jobs::ids::ScheduleId;
use jobs::schedules;
use salvo::Writer as _;
use salvo::oapi::endpoint;

use super::unknown;
use crate::access::{Admin, Tenant};
use crate::answer::NoContent;
use crate::problem::Problem;
use crate::request::PathId;

/// Remove a schedule
///
/// It fires no more and is gone from lists; this cannot be undone. Scans that it has started go on.
#[endpoint(operation_id = "delete_schedule", tags("scans"))]
pub(super) async fn delete_schedule(tenant: Tenant<Admin>, sid: PathId<ScheduleId>) -> Result<NoContent, Problem> {
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let schedule = schedule::lock(&mut tx, tenant.org, sid.0).await?.ok_or(unknown())?;
    schedules::delete(&mut tx, By { actor: &actor, origin: &origin }, &schedule).await?;
    tx.commit().await?;
    Ok(NoContent)
}
