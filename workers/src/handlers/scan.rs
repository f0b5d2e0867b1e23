//! Reads a cloud account: refreshes the states that describe it, streams its resources into the database, and ends the
//! run, with everything that follows from its end, in one transaction.
//!
//! What a killed worker leaves behind is a running run and some rows that carry its id; the next attempt reads the account
//! from the start and writes the same rows again.

mod errors;
mod progress;
mod states;

use std::collections::BTreeSet;
use std::time::Duration;

use jobs::db::live_resource::{self, Found, Unseen};
use jobs::db::scan_run::{self, Failure, ScanError, ScanRun, Start};
use jobs::ids::{OrgId, ScanId};
use jobs::kinds::Job as _;
use jobs::kinds::scan::Scan;
use jobs::queue::JobError;
use jobs::scans::{self, Outcome};
use serde_json::Value;
use tokio::time::Instant;

use super::is_final;
use crate::cloud::{DiscoverRequest, Discovery, Event, GLOBAL};
use crate::live;
use crate::runtime::JobContext;
use crate::services::{Connected, Services};
use progress::Reporter;

/// How long a scan waits for another of its account, or for that one's drift.
const BUSY: Duration = Duration::from_secs(2);
/// Before the job's own timeout, so that the run can still say why it ended.
const MARGIN: Duration = Duration::from_secs(30);
/// Resources written in one statement.
const BATCH: usize = 500;

/// Runs [`Scan`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = Scan;

    async fn run(&self, cx: &JobContext, job: Scan) -> Result<Value, JobError> {
        let run = {
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            let start = scan_run::start(&mut tx, job.org_id, job.scan_id, cx.id).await?;
            match start {
                Start::Running(run) => {
                    tx.commit().await?;
                    run
                }
                Start::Busy => return Err(JobError::snooze(BUSY)),
                Start::Done => return Ok(Value::Null),
                Start::Absent => return Err(JobError::cancel(format!("there is no scan {}", job.scan_id))),
            }
        };
        let mut scan = Running { cx, services: &self.0, run: &run, errors: Vec::new(), began: Instant::now() };
        let ended = tokio::select! {
            ended = scan.work() => ended,
            () = cx.cancel.cancelled() => Err(JobError::retry("interrupted", "the scan was cancelled, or its worker stops")),
            () = tokio::time::sleep(Scan::TIMEOUT.saturating_sub(MARGIN)) => Err(timed_out()),
        };
        if let Err(error) = &ended
            && is_final(cx, error)
        {
            let errors = std::mem::take(&mut scan.errors);
            fail(cx, run.org_id, run.id, error, errors).await?;
        }
        ended.map(|()| Value::Null)
    }
}

fn timed_out() -> JobError {
    let minutes = Scan::TIMEOUT.saturating_sub(MARGIN).as_secs() / 60;
    JobError::retry("timeout", format!("the scan took longer than {minutes} minutes; scan fewer regions at a time"))
}

/// Ends the run in error, with the reason among what could not be read.
async fn fail(
    cx: &JobContext,
    org_id: OrgId,
    id: ScanId,
    error: &JobError,
    mut errors: Vec<ScanError>,
) -> Result<(), JobError> {
    if errors.is_empty() {
        errors.push(errors::of_account(error));
    }
    let mut tx = cx.pool.begin().await?;
    cx.hold(&mut tx).await?;
    let failure = Failure { error_class: error.error_class, error: &error.message };
    scans::fail(&mut tx, org_id, id, failure, &errors).await?;
    tx.commit().await?;
    Ok(())
}

/// One attempt at a run.
struct Running<'a> {
    cx: &'a JobContext,
    services: &'a Services,
    run: &'a ScanRun,
    /// What could not be read.
    errors: Vec<ScanError>,
    began: Instant,
}

impl Running<'_> {
    async fn work(&mut self) -> Result<(), JobError> {
        let mut conn = self.cx.pool.acquire().await?;
        let connected = self.services.connect(&mut conn, self.run.org_id, self.run.cloud_account_id).await?;
        let mut reporter = Reporter::new(self.cx, self.run);
        states::refresh_stale(self, &mut conn, &connected, &mut reporter).await?;
        drop(conn);

        let request = DiscoverRequest { regions: self.run.filter_regions.clone(), provider_types: Vec::new() };
        // The discovery has a token of its own: it ends by being dropped.
        let discovery = connected.provider.discover(request, self.cx.cancel.child_token()).await;
        let discovery = discovery.map_err(|error| errors::refused(&error))?;
        let account = &connected.account.external_account_id;
        if discovery.identity.account_id != *account {
            return Err(JobError::fail(
                "account_mismatch",
                format!(
                    "the credentials belong to account {}, not to {account}: register the account anew with its own",
                    discovery.identity.account_id
                ),
            ));
        }
        let regions = discovery.regions.clone();
        self.read(discovery, &mut reporter).await?;
        self.refuse_nothing(&connected, &regions)?;
        self.end(&regions).await
    }

    /// Writes what is found as it comes.
    async fn read(&mut self, mut discovery: Discovery, reporter: &mut Reporter<'_>) -> Result<(), JobError> {
        let mut pending: Vec<Found> = Vec::with_capacity(BATCH);
        while let Some(event) = discovery.next().await {
            match event {
                Event::Resources(batch) => {
                    for resource in batch {
                        pending.push(live::found(resource)?);
                    }
                    if pending.len() >= BATCH {
                        self.write(&pending).await?;
                        pending.clear();
                    }
                }
                Event::Failed(error) => self.errors.push(errors::stored(error)),
                Event::Progress(progress) => {
                    reporter.report("discover", progress.done as u64, progress.total as u64).await?;
                }
            }
        }
        self.write(&pending).await
    }

    async fn write(&self, found: &[Found]) -> Result<(), JobError> {
        if found.is_empty() {
            return Ok(());
        }
        let run = self.run;
        let mut tx = self.cx.pool.begin().await?;
        self.cx.hold(&mut tx).await?;
        live_resource::upsert_many(&mut tx, run.org_id, run.cloud_account_id, run.id, found).await?;
        tx.commit().await?;
        Ok(())
    }

    /// An account of which no type could be read anywhere has not been scanned.
    fn refuse_nothing(&self, connected: &Connected, regions: &[String]) -> Result<(), JobError> {
        let types = connected.provider.readable_types();
        let is_lost = |name: &&str| errors::is_lost(&self.errors, name, regions);
        match self.errors.iter().find(|error| !error.provider_types.is_empty()) {
            Some(first) if types.iter().all(is_lost) => Err(errors::nothing_read(first)),
            _ => Ok(()),
        }
    }

    async fn end(&self, regions: &[String]) -> Result<(), JobError> {
        let run = self.run;
        let outcome = Outcome {
            org_id: run.org_id,
            scan_id: run.id,
            cloud_account_id: run.cloud_account_id,
            scan_errors: &self.errors,
            unseen: &Unseen { slices: errors::slices(&self.errors), regions: self.asked_regions() },
            regions,
            seconds: (self.began.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0,
        };
        let mut tx = self.cx.pool.begin().await?;
        self.cx.hold(&mut tx).await?;
        scans::finish(&mut tx, &outcome).await.map_err(|error| JobError::retry("database", error))?;
        tx.commit().await?;
        tracing::info!(
            scan = %run.id, seconds = outcome.seconds, regions = regions.len(), scan_errors = self.errors.len(),
            "scan done"
        );
        Ok(())
    }

    /// The regions asked for, with that of resources that have none; empty for all.
    fn asked_regions(&self) -> Vec<String> {
        if self.run.filter_regions.is_empty() {
            return Vec::new();
        }
        let asked: BTreeSet<&str> = self.run.filter_regions.iter().map(String::as_str).chain([GLOBAL]).collect();
        asked.into_iter().map(str::to_owned).collect()
    }
}
