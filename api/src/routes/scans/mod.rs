//! Scans of cloud accounts, and the drift of each.

mod bulk;
mod create;
mod drift;
mod drift_compute;
mod get;
mod list;

use chrono::{DateTime, Utc};
use jobs::db::scan_run::{Progress, ScanError, ScanRun, StatusKind};
use jobs::domain::{Provider, RunStatus, ScanType};
use jobs::ids::ScheduleId;
use jobs::{plan, providers};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::access::{Member, Tenant};
use crate::problem::{Faults, PlanLimit, Problem};

pub(super) fn router() -> Router {
    let drift = Router::with_path("drift")
        .get(drift::get_scan_drift)
        .push(Router::with_path("compute").post(drift_compute::compute_scan_drift));
    Router::with_path("scans")
        .get(list::list_scans)
        .post(create::queue_scan)
        .push(Router::with_path("bulk").post(bulk::queue_bulk_scans))
        .push(Router::with_path("{scan_id}").get(get::get_scan).push(drift))
}

/// One scan of one cloud account.
#[derive(Debug, Serialize, ToSchema)]
struct Scan {
    id: Uuid,
    org_id: Uuid,
    cloud_account_id: Uuid,
    #[salvo(schema(value_type = String))]
    provider: Provider,
    #[salvo(schema(value_type = String))]
    scan_type: ScanType,
    /// The schedule that started it; null where somebody else did.
    schedule_id: Option<Uuid>,
    /// `pending`, `running`, then `done` or `error`.
    #[salvo(schema(value_type = String))]
    status: RunStatus,
    /// `ok`, `partial` or `failed` once it ended.
    #[salvo(schema(value_type = Option<String>))]
    status_kind: Option<StatusKind>,
    filter_regions: Vec<String>,
    /// How far a running scan is: `{"phase", "done", "total"}`.
    #[salvo(schema(value_type = Option<Object>))]
    progress: Option<Progress>,
    resource_count: Option<i32>,
    /// What could not be read.
    #[salvo(schema(value_type = Vec<Object>))]
    scan_errors: Vec<ScanError>,
    /// Why it ended in `error`.
    error: Option<String>,
    error_class: Option<String>,
    /// null until drift was asked for; then `pending`, `running`, `done` or `error`.
    #[salvo(schema(value_type = Option<String>))]
    drift_status: Option<RunStatus>,
    drift_error: Option<String>,
    new_count: Option<i32>,
    changed_count: Option<i32>,
    missing_count: Option<i32>,
    result_json: Option<Value>,
    repo_owner: Option<String>,
    repo_name: Option<String>,
    repo_url: Option<String>,
    branch: Option<String>,
    commit_sha: Option<String>,
    pr_number: Option<i64>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<ScanRun> for Scan {
    fn from(run: ScanRun) -> Self {
        let status_kind = run.status_kind();
        let ci = run.ci.map(|ci| ci.0).unwrap_or_default();
        Self {
            id: run.id.uuid(),
            org_id: run.org_id.uuid(),
            cloud_account_id: run.cloud_account_id.uuid(),
            provider: run.provider,
            scan_type: run.scan_type,
            schedule_id: run.schedule_id.map(ScheduleId::uuid),
            status: run.status,
            status_kind,
            filter_regions: run.filter_regions,
            progress: run.progress.map(|progress| progress.0),
            resource_count: run.resource_count,
            scan_errors: run.scan_errors.0,
            error: run.error,
            error_class: run.error_class,
            drift_status: run.drift_status,
            drift_error: run.drift_error,
            new_count: run.new_count,
            changed_count: run.changed_count,
            missing_count: run.missing_count,
            result_json: run.result,
            repo_owner: ci.repo_owner,
            repo_name: ci.repo_name,
            repo_url: ci.repo_url,
            branch: ci.branch,
            commit_sha: ci.commit_sha,
            pr_number: ci.pr_number,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}

/// Most regions of a filter; no cloud has so many.
const MAX_REGIONS: usize = 64;

/// Judges the regions that a scan shall be limited to.
pub(super) fn judge_regions(regions: &[String], faults: &mut Faults) {
    if regions.len() > MAX_REGIONS {
        faults.add("filter_regions", format!("must not have more than {MAX_REGIONS} entries"));
        return;
    }
    for (at, region) in regions.iter().enumerate().filter(|(_, region)| !providers::is_aws_region(region)) {
        faults.add(&format!("filter_regions[{at}]"), format!("AWS has no region \"{region}\""));
    }
}

/// Checks the regions that a scan shall be limited to.
fn check_regions(regions: &[String]) -> Result<(), Problem> {
    let mut faults = Faults::default();
    judge_regions(regions, &mut faults);
    faults.none()
}

/// Checks that the plan has room for `more` scans beside `open` ones. The organisation's row must be locked.
fn check_room(open: i64, more: i64, tenant: &Tenant<Member>) -> Result<(), Problem> {
    PlanLimit::check("concurrent scans", tenant.plan, plan::limits(tenant.plan).concurrent_scans, (open, more))
}
