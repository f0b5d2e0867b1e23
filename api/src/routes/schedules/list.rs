//! `GET /orgs/{id}/schedules`

use jobs::db::schedule;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Schedule;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Page;

/// A page of schedules.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ScheduleList"))]
pub(super) struct List {
    /// The page's schedules, newest first.
    schedules: Vec<Schedule>,
    /// How many there are in all.
    total: i64,
    /// As asked for.
    limit: i64,
    /// As asked for.
    offset: i64,
}

/// Page through the scan schedules
///
/// Those that are switched off are among them, whoever did that.
#[endpoint(operation_id = "list_schedules", tags("scans"))]
pub(super) async fn list_schedules(tenant: Tenant<Viewer>, page: Page<(), 50, 200>) -> Result<Json<List>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = schedule::list(&mut conn, tenant.org, page.rows()).await?;
    Ok(Json(List {
        schedules: listed.rows.into_iter().map(Schedule::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
