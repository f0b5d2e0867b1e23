//! Scans of cloud accounts: `pending → running → done | error`, and the drift of a done one.
//!
//! Every change of state is guarded (`WHERE … AND status = …`) and says whether it happened, so a worker that was
//! believed dead and the one that took over cannot both end a run. The database allows one running scan of an account
//! (`scan_run_running_key`): two at once would take each other's live resources for gone.
//!
//! What belongs together in one transaction (a run and its job, its end and its event) stands in [`crate::scans`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::page::{Listed, Page};
use crate::domain::{Provider, RunStatus, ScanType};
use crate::ids::{CloudAccountId, JobId, OrgId, ScanId, ScheduleId};

/// One scan of one cloud account.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRun {
    /// Its id.
    pub id: ScanId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account that is scanned.
    pub cloud_account_id: CloudAccountId,
    /// The account's provider.
    pub provider: Provider,
    /// What started it.
    pub scan_type: ScanType,
    /// The schedule that started it.
    pub schedule_id: Option<ScheduleId>,
    /// Which firing of the schedule started it.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// How far it is.
    pub status: RunStatus,
    /// The job that runs it.
    pub job_id: Option<JobId>,
    /// Regions asked for; empty is every enabled one.
    pub filter_regions: Vec<String>,
    /// The CI run it belongs to.
    pub ci: Option<Json<Ci>>,
    /// How far a running one is.
    pub progress: Option<Json<Progress>>,
    /// Live resources found; none before it is done.
    pub resource_count: Option<i32>,
    /// What could not be read.
    pub scan_errors: Json<Vec<ScanError>>,
    /// Class of the failure that ended it in `error`.
    pub error_class: Option<String>,
    /// Why it ended in `error`, for a person.
    pub error: Option<String>,
    /// None until drift was asked for.
    pub drift_status: Option<RunStatus>,
    /// Why computing drift failed.
    pub drift_error: Option<String>,
    /// The job that computes drift.
    pub drift_job_id: Option<JobId>,
    /// Extra resources of its drift.
    pub new_count: Option<i32>,
    /// Changed resources of its drift.
    pub changed_count: Option<i32>,
    /// Missing resources of its drift.
    pub missing_count: Option<i32>,
    /// [`Summary`] of a run that is done.
    pub result: Option<Value>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How a finished scan went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// Everything asked for was read.
    Ok,
    /// Something could not be read; see `scan_errors`.
    Partial,
    /// Nothing could be read; see `error`.
    Failed,
}

impl ScanRun {
    /// `status_kind` of the contract; none while the run is not finished.
    #[must_use]
    pub fn status_kind(&self) -> Option<StatusKind> {
        match self.status {
            RunStatus::Pending | RunStatus::Running => None,
            RunStatus::Error => Some(StatusKind::Failed),
            RunStatus::Done if self.scan_errors.is_empty() => Some(StatusKind::Ok),
            RunStatus::Done => Some(StatusKind::Partial),
        }
    }
}

/// The CI run that asked for a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ci {
    /// Owner of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_owner: Option<String>,
    /// Name of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_name: Option<String>,
    /// Address of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    /// Branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<String>,
    /// Number of the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr_number: Option<i64>,
}

/// How far a scan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// `state` while state sources are refreshed, `discover` while the cloud is read, `store` at the end.
    pub phase: String,
    /// Steps done.
    pub done: u64,
    /// All steps; 0 while they are not known.
    pub total: u64,
}

/// A part of an account, or a state, that a scan could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanError {
    /// The cloud's service, such as `ec2`; `state` for a state source that could not be refreshed.
    pub service: String,
    /// The region, or `global`.
    pub region: String,
    /// The Terraform types of which the scan knows nothing there.
    pub provider_types: Vec<String>,
    /// Stable name of the failure.
    pub error_class: String,
    /// The call that failed.
    pub operation: String,
    /// Why, for people.
    pub message: String,
}

/// `result_json` of a scan that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Regions that were read, sorted.
    pub regions: Vec<String>,
    /// Live resources by Terraform type.
    pub by_type: std::collections::BTreeMap<String, u64>,
    /// How long it took from its last start, in seconds.
    pub seconds: f64,
}

/// Expands to a checked query of whole [`ScanRun`]s between two pieces of SQL.
macro_rules! scan_runs {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            ScanRun,
            $before
                + r#" id AS "id: ScanId", org_id AS "org_id: OrgId", cloud_account_id AS "cloud_account_id: CloudAccountId",
                provider AS "provider: Provider", scan_type AS "scan_type: ScanType",
                schedule_id AS "schedule_id: ScheduleId", scheduled_for, status AS "status: RunStatus",
                job_id AS "job_id: JobId", filter_regions, ci AS "ci: Json<Ci>", progress AS "progress: Json<Progress>",
                resource_count, scan_errors AS "scan_errors: Json<Vec<ScanError>>", error_class, error,
                drift_status AS "drift_status: RunStatus", drift_error, drift_job_id AS "drift_job_id: JobId",
                new_count, changed_count, missing_count, result, created_at, started_at, finished_at "#
                + $after
            $(, $arg)*
        )
    };
}

mod drift;
mod expire;
mod lifecycle;
mod orphans;

pub use drift::{DriftCounts, fail_drift, finish_drift, set_drift_pending, start_drift, superseded_by};
pub use expire::{Expired, Place, expire};
pub use lifecycle::{Failure, Finished, Start, fail, finish, set_progress, start};
pub use orphans::{Orphan, drift_orphans, orphans};

/// A scan to be inserted as pending, with the job that will run it.
#[derive(Debug, Clone)]
pub struct NewScan<'a> {
    /// Its id.
    pub id: ScanId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account.
    pub cloud_account_id: CloudAccountId,
    /// What starts it.
    pub scan_type: ScanType,
    /// Regions asked for; empty is every enabled one.
    pub filter_regions: &'a [String],
    /// The CI run it belongs to.
    pub ci: Option<&'a Ci>,
    /// The job.
    pub job_id: JobId,
}

/// Inserts a pending run; `None` when the organisation has no such account.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewScan<'_>) -> sqlx::Result<Option<ScanRun>> {
    scan_runs!(
        "INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, filter_regions, ci, job_id)
         SELECT $1, a.org_id, a.id, a.provider, $4, $5, $6, $7 FROM cloud_account a WHERE a.org_id = $2 AND a.id = $3
         RETURNING",
        "",
        new.id.uuid(),
        new.org_id.uuid(),
        new.cloud_account_id.uuid(),
        new.scan_type.as_str(),
        new.filter_regions,
        new.ci.map(Json) as Option<Json<&Ci>>,
        new.job_id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// One run.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: ScanId) -> sqlx::Result<Option<ScanRun>> {
    scan_runs!("SELECT", "FROM scan_run WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// Which runs to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of one account.
    pub cloud_account_id: Option<CloudAccountId>,
    /// Started by this.
    pub scan_type: Option<ScanType>,
    /// Of one cloud.
    pub provider: Option<Provider>,
    /// Asked for at or after this: the plan's retention.
    pub since: Option<DateTime<Utc>>,
}

/// The newest runs first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, filter: Filter, page: Page) -> sqlx::Result<Listed<ScanRun>> {
    let account = filter.cloud_account_id.map(CloudAccountId::uuid);
    let scan_type = filter.scan_type.map(ScanType::as_str);
    let provider = filter.provider.map(Provider::as_str);
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "total!" FROM scan_run
            WHERE org_id = $1 AND ($2::uuid IS NULL OR cloud_account_id = $2) AND ($3::text IS NULL OR scan_type = $3)
              AND ($4::text IS NULL OR provider = $4) AND ($5::timestamptz IS NULL OR created_at >= $5)"#,
        org_id.uuid(),
        account,
        scan_type,
        provider,
        filter.since,
    )
    .fetch_one(&mut *conn)
    .await?;
    let rows = scan_runs!(
        "SELECT",
        "FROM scan_run
        WHERE org_id = $1 AND ($2::uuid IS NULL OR cloud_account_id = $2) AND ($3::text IS NULL OR scan_type = $3)
          AND ($4::text IS NULL OR provider = $4) AND ($5::timestamptz IS NULL OR created_at >= $5)
        ORDER BY created_at DESC, id DESC LIMIT $6 OFFSET $7",
        org_id.uuid(),
        account,
        scan_type,
        provider,
        filter.since,
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// Pending and running scans of an organisation: what the plan's `concurrent_scans` limits. Count while the organisation's
/// row is locked.
///
/// # Errors
/// The database's.
pub async fn count_open(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "open!" FROM scan_run WHERE org_id = $1 AND status IN ('pending', 'running')"#,
        org_id.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// The same of several organisations; those that have none are left out.
///
/// # Errors
/// The database's.
pub async fn count_open_of(conn: &mut PgConnection, orgs: &[OrgId]) -> sqlx::Result<Vec<(OrgId, i64)>> {
    let ids: Vec<_> = orgs.iter().map(|org| org.uuid()).collect();
    let counts = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", count(*) AS "open!" FROM scan_run
            WHERE org_id = ANY ($1) AND status IN ('pending', 'running') GROUP BY org_id"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(counts.into_iter().map(|row| (row.org_id, row.open)).collect())
}
