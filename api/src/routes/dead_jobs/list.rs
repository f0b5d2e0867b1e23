//! `GET /orgs/{id}/dead-jobs`

use jobs::queue::dead;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{DeadJobs, Narrow};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Slice;

/// The organisation's dead jobs, newest first
#[endpoint(operation_id = "list_org_dead_jobs", tags("dead-jobs"))]
pub(super) async fn list_org_dead_jobs(
    tenant: Tenant<Viewer>,
    slice: Slice<Narrow, dead::Cursor>,
) -> Result<Json<DeadJobs>, Problem> {
    let filter = dead::Filter { tenant: Some(tenant.org.uuid()), ..slice.filter.0.clone() };
    let mut conn = tenant.app.pool().acquire().await?;
    let rows = dead::list(&mut conn, &filter, slice.after, slice.asked()).await?;
    Ok(Json(DeadJobs::of(&slice, rows)))
}
