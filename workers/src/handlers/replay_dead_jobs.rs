//! Replays dead jobs in slices, at their batch's pace.

use std::time::{Duration, Instant};

use jobs::dead_letters;
use jobs::kinds::Job as _;
use jobs::kinds::replay_dead_jobs::ReplayDeadJobs;
use jobs::queue::JobError;
use jobs::queue::replay_batch::Slice;
use serde_json::Value;

use crate::runtime::JobContext;
use crate::services::Services;

/// Kept of the timeout for the last slice: what does not end before is handed over.
const RESERVE: Duration = Duration::from_mins(1);

/// Runs [`ReplayDeadJobs`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = ReplayDeadJobs;

    async fn run(&self, cx: &JobContext, job: ReplayDeadJobs) -> Result<Value, JobError> {
        let started = Instant::now();
        loop {
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            let slice = dead_letters::replay_slice(&mut tx, job.batch_id).await?;
            tx.commit().await?;
            let pause = match slice {
                Slice::Taken { batch, .. } if batch.finished_at.is_some() => return Ok(Value::Null),
                Slice::Taken { pause, .. } | Slice::TooEarly(pause) => pause,
                Slice::Over => return Ok(Value::Null),
                Slice::Absent => return Err(JobError::cancel("the batch is forgotten")),
            };
            if started.elapsed() + pause + RESERVE > ReplayDeadJobs::TIMEOUT {
                return Err(JobError::snooze(pause));
            }
            if cx.cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Err(JobError::interrupted());
            }
        }
    }
}
