//! `GET /orgs/{id}/jobs`

use jobs::ids::JobId;
use jobs::queue::live;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::{Jobs, Narrow, slice};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Slice;

/// The organisation's jobs that wait or run, newest first
#[endpoint(
    operation_id = "list_org_jobs",
    tags("jobs"),
    responses((status_code = 422, description = "There is no such queue or kind"))
)]
pub(super) async fn list_org_jobs(tenant: Tenant<Viewer>, part: Slice<Narrow, JobId>) -> Result<Json<Jobs>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let filter = part.filter.check(&mut conn).await?;
    let found = live::list_of(&mut conn, tenant.org.uuid(), filter, slice(part.limit, part.after)).await?;
    Ok(Json(found.into()))
}
