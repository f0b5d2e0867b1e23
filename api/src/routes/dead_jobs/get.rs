//! `GET /orgs/{id}/dead-jobs/{job_id}`

use jobs::ids::JobId;
use jobs::payloads::Audience;
use jobs::queue::dead;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Detail;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One of the organisation's dead jobs, with every attempt's error
#[endpoint(operation_id = "get_org_dead_job", tags("dead-jobs"))]
pub(super) async fn get_org_dead_job(tenant: Tenant<Viewer>, job_id: PathId<JobId>) -> Result<Json<Detail>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let job = dead::get(&mut conn, job_id.0).await?.filter(|job| job.tenant == tenant.org.uuid());
    Ok(Json(Detail::of(job.ok_or(Problem::not_found("dead job"))?, Audience::Organisation)))
}
