//! `POST /orgs/{id}/scans`

use std::time::Duration;

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::scan_run::Ci;
use jobs::db::{org, scan_run};
use jobs::domain::ScanType;
use jobs::ids::CloudAccountId;
use jobs::scans;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::json;

use super::{Scan, check_regions, check_room};
use crate::access::{Member, Tenant};
use crate::answer::Accepted;
use crate::awaited;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{FieldError, Problem};
use crate::request::{Body, field_id};

/// A scan to be queued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewScan {
    /// The account to scan.
    cloud_account_id: String,
    /// Regions to read; absent or empty means every enabled one.
    #[serde(default)]
    filter_regions: Vec<String>,
    /// The CI run that asks: `repo_owner`, `repo_name`, `repo_url`, `branch`, `commit_sha`, `pr_number`, each optional.
    #[salvo(schema(value_type = Option<Object>))]
    ci: Option<Ci>,
}

/// Longest text of the CI metadata, in characters.
const LONGEST_CI: usize = 512;

/// Queue a scan of one cloud account
///
/// Answers at once with the pending run; poll it until its status is `done` or `error`. Its drift is computed right after.
#[endpoint(
    operation_id = "queue_scan",
    tags("scans"),
    responses((status_code = 402, description = "The plan's number of scans at once is reached"))
)]
pub(super) async fn queue_scan(
    tenant: Tenant<Member>,
    body: Body<NewScan>,
    idempotency: Idempotency,
) -> Result<Accepted<Scan>, Problem> {
    let new = body.0;
    let cloud_account_id: CloudAccountId = field_id("cloud_account_id", &new.cloud_account_id)?;
    check_regions(&new.filter_regions)?;
    check_ci(new.ci.as_ref())?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let mut tx = tenant.app.begin().await?;
    org::lock(&mut tx, tenant.org).await?;
    check_room(scan_run::count_open(&mut tx, tenant.org).await?, 1, &tenant)?;
    let request = scans::Request {
        org_id: tenant.org,
        cloud_account_id,
        scan_type: ScanType::Manual,
        filter_regions: &new.filter_regions,
        ci: new.ci.as_ref(),
    };
    let run = scans::request(&mut tx, &request, &awaited::options(&tenant.context))
        .await?
        .ok_or_else(|| Problem::invalid("cloud_account_id", "no such cloud account in this organisation"))?;
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::ScanQueued,
        target: Target { kind: "scan", id: run.id.to_string() },
        details: json!({"cloud_account_id": cloud_account_id, "filter_regions": new.filter_regions}),
    };
    append(&mut tx, &entry).await?;
    let path = format!("/api/v2/orgs/{}/scans/{}", tenant.org, run.id);
    let answer = Accepted::new(&Scan::from(run))?.location(&path).retry_after(Duration::from_secs(1));
    attempt.commit(tx, answer).await
}

fn check_ci(ci: Option<&Ci>) -> Result<(), Problem> {
    let Some(ci) = ci else { return Ok(()) };
    let texts = [
        ("repo_owner", &ci.repo_owner),
        ("repo_name", &ci.repo_name),
        ("repo_url", &ci.repo_url),
        ("branch", &ci.branch),
        ("commit_sha", &ci.commit_sha),
    ];
    let long: Vec<FieldError> = texts
        .iter()
        .filter(|(_, text)| text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_CI))
        .map(|(name, _)| FieldError {
            field: format!("ci.{name}"),
            message: format!("must not have more than {LONGEST_CI} characters"),
        })
        .collect();
    if long.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(long)) }
}
