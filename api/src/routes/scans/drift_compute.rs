//! `POST /orgs/{id}/scans/{scan_id}/drift/compute`

use std::time::Duration;

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::scan_run;
use jobs::ids::ScanId;
use jobs::scans;
use salvo::oapi::endpoint;
use salvo::oapi::{Components, EndpointOutRegister, Operation};
use salvo::prelude::{Depot, Json, Request};
use salvo::prelude::{Response, Writer, async_trait};
use serde_json::{Value, json};

use super::Scan;
use super::drift::{Drift, ItemsPage, load};
use crate::access::{Member, Tenant};
use crate::answer::Accepted;
use crate::awaited::{self, Kind, Outcome};
use crate::problem::Problem;
use crate::request::PathId;

/// What the job that computes drift can say.
const REFUSALS: &[(&str, Kind)] = &[
    ("not_found", Kind::NotFound("scan")),
    ("scan_not_done", Kind::Conflict),
    ("scan_superseded", Kind::Conflict),
    ("cancelled", Kind::Conflict),
];

/// Drift that is there, or the scan to poll while it is being computed.
pub(super) enum Computed {
    /// 200.
    Drift(Box<Drift>),
    /// 202.
    Pending(Accepted<Scan>),
}

#[async_trait]
impl Writer for Computed {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Drift(drift) => res.render(Json(*drift)),
            Self::Pending(answer) => answer.write(req, depot, res).await,
        }
    }
}

impl EndpointOutRegister for Computed {
    fn register(components: &mut Components, operation: &mut Operation) {
        <Json<Drift> as EndpointOutRegister>::register(components, operation);
        <Accepted<Scan> as EndpointOutRegister>::register(components, operation);
    }
}

/// Compute drift now and return the snapshot
///
/// The scan must be done and the account's newest. What is not computed within 25 s is 202; poll the scan's `drift_status`.
#[endpoint(
    operation_id = "compute_scan_drift",
    tags("drift"),
    responses((status_code = 409, description = "The scan is not done, or the account was scanned again since"))
)]
pub(super) async fn compute_scan_drift(
    tenant: Tenant<Member>,
    scan_id: PathId<ScanId>,
    page: ItemsPage,
) -> Result<Computed, Problem> {
    let scan = scan_id.0;
    let mut tx = tenant.app.begin().await?;
    let run = scan_run::get(&mut tx, tenant.org, scan).await?.ok_or(Problem::not_found("scan"))?;
    if let Some(newer) = scan_run::superseded_by(&mut tx, &run).await? {
        return Err(Problem::conflict(
            "scan_superseded",
            format!("the account was scanned again since: compute the drift of scan {newer}"),
        ));
    }
    let job = scans::request_drift(&mut tx, tenant.org, scan, &awaited::options(&tenant.context)).await?;
    let Some(job) = job else {
        return Err(Problem::conflict(
            "scan_not_done",
            format!("the scan is {}: drift can be computed once it is done", run.status),
        ));
    };
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::DriftRequested,
        target: Target { kind: "scan", id: scan.to_string() },
        details: json!({}),
    };
    append(&mut tx, &entry).await?;
    tx.commit().await?;

    let outcome = awaited::outcome::<Value>(&tenant.context, job).await?;
    let mut conn = tenant.app.pool().acquire().await?;
    match outcome {
        Outcome::Failed(failure) => Err(failure.into_problem(REFUSALS)),
        Outcome::Done(_) => {
            let drift = load(&mut conn, tenant.org, scan, page).await?;
            Ok(Computed::Drift(Box::new(drift.ok_or(Problem::not_found("drift"))?)))
        }
        Outcome::Pending => {
            let run = scan_run::get(&mut conn, tenant.org, scan).await?.ok_or(Problem::not_found("scan"))?;
            let path = format!("/api/v2/orgs/{}/scans/{scan}", tenant.org);
            let answer = Accepted::new(&Scan::from(run))?.location(&path).retry_after(Duration::from_secs(2));
            Ok(Computed::Pending(answer))
        }
    }
}
