//! `POST /orgs/{id}/schedules/{sid}/run`

use std::time::Duration;

use jobs::audit::By;
use jobs::db::schedule;
use jobs::ids::ScheduleId;
use jobs::schedules::{self, Run};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use super::unknown;
use crate::access::{Member, Tenant};
use crate::answer::Accepted;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{PlanLimit, Problem};
use crate::request::PathId;

/// The scans that were started.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ScheduleRun"))]
pub(super) struct Started {
    count: usize,
    scan_ids: Vec<String>,
}

/// Fire a schedule at once
///
/// Whether or not it is switched on, with the account and regions that it has now. When it fires next stays as it is.
#[endpoint(
    operation_id = "run_schedule_now",
    tags("scans"),
    responses(
        (status_code = 402, description = "The plan's number of scans at once would be passed; none is started"),
        (status_code = 409, description = "Its last scans have not ended, or there is no account to scan")
    )
)]
pub(super) async fn run_schedule_now(
    tenant: Tenant<Member>,
    sid: PathId<ScheduleId>,
    idempotency: Idempotency,
) -> Result<Accepted<Started>, Problem> {
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (actor, origin) = (tenant.caller.actor(), tenant.origin());
    let mut tx = tenant.app.begin().await?;
    let schedule = schedule::lock(&mut tx, tenant.org, sid.0).await?.ok_or(unknown())?;
    let run = schedules::run_now(&mut tx, By { actor: &actor, origin: &origin }, &schedule).await?;
    let scans = match run {
        Run::Started(scans) => scans,
        Run::NoAccounts => {
            let message = "there is no cloud account to scan: register one first";
            return Err(Problem::conflict("no_accounts", message));
        }
        Run::StillRunning => {
            let message = "the schedule's last scan has not ended yet: wait for its end";
            return Err(Problem::conflict("still_running", message));
        }
        Run::PlanLimit(exceeded) => {
            return Err(Problem::PaymentRequired(PlanLimit::exceeded("concurrent scans", exceeded)));
        }
    };
    let base = format!("/api/v2/orgs/{}/scans", tenant.org);
    let place = match scans.as_slice() {
        [one] => format!("{base}/{one}"),
        _ => base,
    };
    let started = Started { count: scans.len(), scan_ids: scans.iter().map(ToString::to_string).collect() };
    let answer = Accepted::new(&started)?.location(&place).retry_after(Duration::from_secs(1));
    attempt.commit(tx, answer).await
}
