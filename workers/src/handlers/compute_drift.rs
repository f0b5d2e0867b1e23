//! Compares what a scan found with what Terraform declares, and stores the answer in one transaction.
//!
//! # Which resources are compared
//! Live: those that the scan saw. When a newer scan of the account has begun, they have moved on and the scan can no
//! longer be compared (`scan_superseded`).
//!
//! Declared: the latest snapshots of all sources of the account, and of those that belong to no account. Of the latter
//! some resources live in other accounts: what an ARN or a provider's alias places in another account is neither missing nor
//! matched here, but unknown (`drift::compare`). Where several sources declare one resource, each of them is
//! compared with it; sources are taken in the order of their registration, so the report is the same every time.

mod compare;
mod store;

use jobs::db::scan_run::{self, ScanRun};
use jobs::domain::RunStatus;
use jobs::kinds::compute_drift::ComputeDrift;
use jobs::queue::JobError;
use serde_json::{Value, json};

use super::is_final;
use crate::runtime::JobContext;
use crate::services::Services;

/// Runs [`ComputeDrift`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = ComputeDrift;

    async fn run(&self, cx: &JobContext, job: ComputeDrift) -> Result<Value, JobError> {
        let Some(run) = self.start(cx, job).await? else {
            return Ok(answer(job));
        };
        let computed = tokio::select! {
            computed = self.compute(cx, &run) => computed,
            () = cx.cancel.cancelled() => Err(JobError::retry("interrupted", "the job was cancelled, or its worker stops")),
        };
        if let Err(error) = &computed
            && is_final(cx, error)
        {
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            scan_run::fail_drift(&mut tx, run.org_id, run.id, cx.id, &error.message).await?;
            tx.commit().await?;
        }
        computed.map(|()| answer(job))
    }
}

/// The snapshot itself is in the database.
fn answer(job: ComputeDrift) -> Value {
    json!({ "scan_id": job.scan_id })
}

impl Handler {
    /// Moves the drift to running; `None` when this very job has finished it before.
    async fn start(&self, cx: &JobContext, job: ComputeDrift) -> Result<Option<ScanRun>, JobError> {
        let mut tx = cx.pool.begin().await?;
        cx.hold(&mut tx).await?;
        let run = scan_run::get(&mut tx, job.org_id, job.scan_id).await?;
        let run = run.ok_or_else(|| JobError::cancel(format!("there is no scan {}", job.scan_id)))?;
        if run.drift_job_id == Some(cx.id) && run.drift_status == Some(RunStatus::Done) {
            return Ok(None);
        }
        let started = scan_run::start_drift(&mut tx, job.org_id, job.scan_id, cx.id).await?;
        let started = started.ok_or_else(|| {
            JobError::fail("scan_not_done", format!("scan {} is {}; drift needs one that is done", run.id, run.status))
        })?;
        tx.commit().await?;
        Ok(Some(started))
    }

    async fn compute(&self, cx: &JobContext, run: &ScanRun) -> Result<(), JobError> {
        let mut conn = cx.pool.acquire().await?;
        refuse_superseded(&mut conn, run).await?;
        let compared = compare::compare(&self.0, &mut conn, run).await?;
        // A scan that began meanwhile has changed rows under the comparison.
        refuse_superseded(&mut conn, run).await?;
        store::store(cx, &mut conn, run, &compared).await
    }
}

async fn refuse_superseded(conn: &mut sqlx::PgConnection, run: &ScanRun) -> Result<(), JobError> {
    match scan_run::superseded_by(conn, run).await? {
        None => Ok(()),
        Some(newer) => Err(JobError::fail(
            "scan_superseded",
            format!("scan {newer} of the same account began after scan {}: compute the drift of that one", run.id),
        )
        .with_details(json!({ "newer_scan_id": newer }))),
    }
}
