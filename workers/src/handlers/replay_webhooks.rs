//! Sends many of an endpoint's events again, in slices.

use std::time::{Duration, Instant};

use jobs::kinds::Job as _;
use jobs::kinds::replay_webhooks::ReplayWebhooks;
use jobs::queue::JobError;
use jobs::webhooks::replay::{self, ReplayError};
use serde_json::Value;

use crate::runtime::JobContext;
use crate::services::Services;

/// Kept of the timeout for the last slice: what does not end before is handed over.
const RESERVE: Duration = Duration::from_mins(1);

/// Runs [`ReplayWebhooks`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = ReplayWebhooks;

    async fn run(&self, cx: &JobContext, job: ReplayWebhooks) -> Result<Value, JobError> {
        let started = Instant::now();
        loop {
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            let is_through = replay::slice(&mut tx, job.org_id, job.replay_id).await.map_err(failed)?;
            tx.commit().await?;
            if is_through {
                return Ok(Value::Null);
            }
            if cx.cancel.is_cancelled() {
                return Err(JobError::interrupted());
            }
            if started.elapsed() + RESERVE > ReplayWebhooks::TIMEOUT {
                return Err(JobError::snooze(Duration::ZERO));
            }
        }
    }
}

fn failed(error: ReplayError) -> JobError {
    match error {
        ReplayError::Database(error) => error.into(),
        ReplayError::Enqueue(error) => sqlx::Error::from(error).into(),
        ReplayError::Audit(error) => error.into(),
    }
}
