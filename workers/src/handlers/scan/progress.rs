//! How far a scan is, for whoever polls: written at most once a second, and only while the job is this worker's.

use std::time::Duration;

use jobs::db::scan_run::{self, Progress, ScanRun};
use jobs::queue::JobError;
use tokio::time::Instant;

use crate::runtime::JobContext;

/// Between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes a run's progress.
pub(super) struct Reporter<'a> {
    cx: &'a JobContext,
    run: &'a ScanRun,
    written: Option<(Instant, &'static str)>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(cx: &'a JobContext, run: &'a ScanRun) -> Self {
        Self { cx, run, written: None }
    }

    /// Writes, unless it did a moment ago in the same phase.
    pub(super) async fn report(&mut self, phase: &'static str, done: u64, total: u64) -> Result<(), JobError> {
        let is_fresh = |(at, last): (Instant, &str)| last == phase && at.elapsed() < PAUSE;
        if self.written.is_some_and(is_fresh) {
            return Ok(());
        }
        let progress = Progress { phase: phase.to_owned(), done, total };
        let mut tx = self.cx.pool.begin().await?;
        self.cx.hold(&mut tx).await?;
        scan_run::set_progress(&mut tx, self.run.org_id, self.run.id, &progress).await?;
        tx.commit().await?;
        self.written = Some((Instant::now(), phase));
        Ok(())
    }
}
