//! `GET /orgs/{id}/schedules/{sid}`

use jobs::db::schedule;
use jobs::ids::ScheduleId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{Schedule, unknown};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One schedule with its run history fields
///
/// When it ran last and runs next, its failures in a row, and why it was switched off.
#[endpoint(operation_id = "get_schedule", tags("scans"))]
pub(super) async fn get_schedule(tenant: Tenant<Viewer>, sid: PathId<ScheduleId>) -> Result<Json<Schedule>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let schedule = schedule::find(&mut conn, tenant.org, sid.0).await?.ok_or(unknown())?;
    Ok(Json(schedule.into()))
}
