//! `GET /admin/jobs/{job_id}`

use jobs::ids::JobId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::PathId;
use crate::routes::jobs::{Detail, Seen};

/// A job: how it stands, what failed so far, or how it ended
///
/// A job that ended is known for as long as its kind keeps outcomes; of a dead one, `/admin/dead-jobs` tells more.
#[endpoint(
    operation_id = "get_job",
    tags("admin"),
    responses((status_code = 404, description = "It never was, or it has ended and its outcome is not kept"))
)]
pub(super) async fn get_job(operator: Operator, job_id: PathId<JobId>) -> Result<Json<Detail>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    Ok(Json(Detail::find(&mut conn, job_id.0, Seen::ByOperator).await?))
}
