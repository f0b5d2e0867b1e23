//! `GET /orgs/{id}/scans/{scan_id}`

use jobs::db::scan_run;
use jobs::ids::ScanId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Scan;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// State of one scan run
#[endpoint(operation_id = "get_scan", tags("scans"))]
pub(super) async fn get_scan(tenant: Tenant<Viewer>, scan_id: PathId<ScanId>) -> Result<Json<Scan>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let run = scan_run::get(&mut conn, tenant.org, scan_id.0).await?;
    Ok(Json(run.ok_or(Problem::not_found("scan"))?.into()))
}
