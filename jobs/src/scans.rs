//! What belongs together in the life of a scan: the run and its job, its end and its event. The API, the scheduler and the
//! workers all go through here, so none of them can do one without the other.

use std::ops::AddAssign;

use sqlx::PgConnection;

use crate::db::batches::Batch;
use crate::db::scan_run::{self, Ci, Failure, Finished, NewScan, ScanError, ScanRun, StatusKind, Summary};
use crate::db::{cloud_account, live_resource};
use crate::domain::{RunStatus, ScanType};
use crate::events::{self, EventType};
use crate::ids::{CloudAccountId, JobId, OrgId, ScanId};
use crate::kinds::compute_drift::ComputeDrift;
use crate::kinds::priority;
use crate::kinds::scan::Scan;
use crate::queue::{EnqueueError, Options, enqueue, enqueue_with};
use crate::schedules;

/// A scan that somebody asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The account.
    pub cloud_account_id: CloudAccountId,
    /// Who asks.
    pub scan_type: ScanType,
    /// Regions; empty is every enabled one.
    pub filter_regions: &'a [String],
    /// The CI run it belongs to.
    pub ci: Option<&'a Ci>,
}

/// Inserts a pending run and enqueues its job, in the caller's transaction; `None` when the organisation has no such account.
/// The caller has checked the plan's limit.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn request(
    conn: &mut PgConnection,
    request: &Request<'_>,
    options: &Options,
) -> Result<Option<ScanRun>, EnqueueError> {
    let id = ScanId::new();
    if cloud_account::get(conn, request.org_id, request.cloud_account_id).await?.is_none() {
        return Ok(None);
    }
    let job = enqueue_with(conn, &Scan { org_id: request.org_id, scan_id: id }, options).await?;
    let new = NewScan {
        id,
        org_id: request.org_id,
        cloud_account_id: request.cloud_account_id,
        scan_type: request.scan_type,
        filter_regions: request.filter_regions,
        ci: request.ci,
        job_id: job.id,
    };
    Ok(scan_run::insert(conn, &new).await?)
}

/// What a scan found, for its end.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The run.
    pub scan_id: ScanId,
    /// The account.
    pub cloud_account_id: CloudAccountId,
    /// What could not be read.
    pub scan_errors: &'a [ScanError],
    /// What it therefore knows nothing of.
    pub unseen: &'a live_resource::Unseen,
    /// Regions that were read, sorted.
    pub regions: &'a [String],
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Ends a running scan as done, in the caller's transaction: what was not seen is gone, the account knows its newest scan,
/// drift is enqueued, and the event is recorded. False when the run had ended before; then nothing was changed.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn finish(conn: &mut PgConnection, outcome: &Outcome<'_>) -> Result<bool, EnqueueError> {
    let Outcome { org_id, scan_id, cloud_account_id, .. } = *outcome;
    let by_type = live_resource::count_by_type(conn, org_id, cloud_account_id, scan_id).await?;
    let by_type = by_type.into_iter().map(|(name, found)| (name, found.unsigned_abs()));
    let summary = Summary { regions: outcome.regions.to_vec(), by_type: by_type.collect(), seconds: outcome.seconds };
    let found: u64 = summary.by_type.values().sum();
    let finished = Finished {
        org_id,
        id: scan_id,
        resource_count: i32::try_from(found).unwrap_or(i32::MAX),
        scan_errors: outcome.scan_errors,
        summary: &summary,
    };
    let Some(run) = scan_run::finish(conn, &finished).await? else {
        return Ok(false);
    };
    let drift = enqueue(conn, &ComputeDrift { org_id, scan_id }).await?;
    scan_run::set_drift_pending(conn, org_id, scan_id, drift.id).await?;
    live_resource::mark_gone(conn, org_id, cloud_account_id, scan_id, outcome.unseen).await?;
    cloud_account::set_scanned(conn, org_id, cloud_account_id, scan_id).await?;
    let event = match run.status_kind() {
        Some(StatusKind::Partial) => EventType::ScanPartial,
        _ => EventType::ScanCompleted,
    };
    events::record_scan_end(conn, event, &run).await?;
    schedules::scan_ended(conn, &run).await.map_err(sqlx::Error::from)?;
    Ok(true)
}

/// Ends a pending or running scan in error and records the event, in the caller's transaction. False when it had ended before.
///
/// # Errors
/// The database's.
pub async fn fail(
    conn: &mut PgConnection,
    org_id: OrgId,
    scan_id: ScanId,
    failure: Failure<'_>,
    scan_errors: &[ScanError],
) -> sqlx::Result<bool> {
    let Some(run) = scan_run::fail(conn, org_id, scan_id, failure, scan_errors).await? else {
        return Ok(false);
    };
    events::record_scan_end(conn, EventType::ScanFailed, &run).await?;
    schedules::scan_ended(conn, &run).await?;
    Ok(true)
}

/// Enqueues computing the drift of a done scan for a request that waits, in the caller's transaction, and notes it on the
/// run; `None` when the scan is not done.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn request_drift(
    conn: &mut PgConnection,
    org_id: OrgId,
    scan_id: ScanId,
    options: &Options,
) -> Result<Option<JobId>, EnqueueError> {
    let run = scan_run::get(conn, org_id, scan_id).await?;
    if run.is_none_or(|run| run.status != RunStatus::Done) {
        return Ok(None);
    }
    let options = Options { priority: Some(priority::AWAITED), ..options.clone() };
    let job = enqueue_with(conn, &ComputeDrift { org_id, scan_id }, &options).await?;
    // A job that was there before has been noted then, and may be running.
    if !job.existing {
        scan_run::set_drift_pending(conn, org_id, scan_id, job.id).await?;
    }
    Ok(Some(job.id))
}

/// What [`reconcile_stuck_runs`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Scans that ended in error.
    pub scans: u64,
    /// Drift computations that ended in error.
    pub drifts: u64,
}

impl AddAssign for Reconciled {
    fn add_assign(&mut self, more: Self) {
        self.scans += more.scans;
        self.drifts += more.drifts;
    }
}

/// Ends runs whose job is gone: killed with its worker in its last attempt, or cancelled while it waited. Up to `most` scans, and as many
/// drift computations. To be called every now and then, together with the rescue of lost jobs, in a transaction.
///
/// # Errors
/// The database's.
pub async fn reconcile_stuck_runs(conn: &mut PgConnection, most: i64) -> sqlx::Result<Batch<(), Reconciled>> {
    let mut reconciled = Reconciled::default();
    let (scans, drifts) = (scan_run::orphans(conn, most).await?, scan_run::drift_orphans(conn, most).await?);
    let is_full = i64::try_from(scans.len().max(drifts.len())).is_ok_and(|found| found >= most);
    for orphan in scans {
        let failure = Failure {
            error_class: orphan.error_class.as_deref().unwrap_or("cancelled"),
            error: orphan.error.as_deref().unwrap_or("the scan's job was cancelled; queue another scan"),
        };
        if fail(conn, orphan.org_id, orphan.id, failure, &[]).await? {
            reconciled.scans += 1;
        }
    }
    for orphan in drifts {
        let error = orphan.error.as_deref().unwrap_or("the job that computed drift was cancelled; compute it again");
        if scan_run::fail_drift(conn, orphan.org_id, orphan.id, orphan.job_id, error).await? {
            reconciled.drifts += 1;
        }
    }
    Ok(Batch { done: reconciled, next: is_full.then_some(()) })
}
