//! `GET /admin/dead-jobs/{job_id}`

use jobs::ids::JobId;
use jobs::payloads::Audience;
use jobs::queue::dead;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::PathId;
use crate::routes::dead_jobs::Detail;

/// A dead job: its payload, every attempt's error, what it replayed and what replays it
#[endpoint(
    operation_id = "get_dead_job",
    tags("admin"),
    responses((status_code = 404, description = "No such job is dead"))
)]
pub(super) async fn get_dead_job(operator: Operator, job_id: PathId<JobId>) -> Result<Json<Detail>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let job = dead::get(&mut conn, job_id.0).await?.ok_or(Problem::not_found("dead job"))?;
    Ok(Json(Detail::of(job, Audience::Operators)))
}
