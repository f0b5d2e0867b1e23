//! What a handler is, and what it is given.
//!
//! A handler is idempotent: a job runs at least once, and after a crash perhaps again from its beginning. An effect that
//! must not happen twice is written in a transaction that begins with [`JobContext::hold`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jobs::ids::JobId;
use jobs::kinds::Job;
use jobs::queue::{self, Claim, JobError};
use jobs::retry::Backoff;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Runs jobs of one kind.
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    type Job: Job;

    /// Runs one attempt. The value is kept for whoever waits for the job, if its kind keeps outcomes; `Value::Null` says
    /// nothing. An error says what shall become of the job, see [`JobError`].
    fn run(&self, cx: &JobContext, job: Self::Job) -> impl Future<Output = Result<Value, JobError>> + Send;
}

/// One attempt of a job, as its handler sees it.
#[derive(Debug, Clone)]
pub struct JobContext {
    /// The job.
    pub id: JobId,
    /// Whose it is; `None` for the platform's own.
    pub tenant: Option<Uuid>,
    /// This attempt, from 1.
    pub attempt: i16,
    /// The attempt after which it is dead.
    pub max_attempts: i16,
    /// Cancelled when somebody cancels the job, when it is given up (timeout, lost lease), and when the worker stops and
    /// its grace is over. A handler that takes long awaits it and returns soon after, with any error.
    pub cancel: CancellationToken,
    /// The API request that caused the job.
    pub request_id: Option<String>,
    /// W3C traceparent of whoever enqueued it.
    pub trace_parent: Option<String>,
    /// The database.
    pub pool: PgPool,
    pub(crate) claim: Claim,
}

impl JobContext {
    /// Whether this attempt is the last one.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Makes sure that the job is still this worker's, until the caller's transaction ends. Begin with it a transaction
    /// that writes an effect or reports progress: after a lost lease another worker runs the job, and this attempt may
    /// not write any more.
    ///
    /// # Errors
    /// A retry when the database refuses, or when the job is not this worker's any more (which then changes nothing).
    pub async fn hold(&self, conn: &mut PgConnection) -> Result<(), JobError> {
        if queue::hold(conn, &self.claim).await? {
            Ok(())
        } else {
            Err(JobError::retry("claim_lost", "the job was rescued from this worker and runs elsewhere"))
        }
    }
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Value, JobError>> + Send>>;

/// A handler and its kind's policy, without their types.
pub(crate) struct Registered {
    pub queue: &'static str,
    pub timeout: Duration,
    pub backoff: Backoff,
    pub parallel: usize,
    run: Box<dyn Fn(JobContext, String) -> Answer + Send + Sync>,
}

impl Registered {
    pub(crate) fn new<H: Handler>(handler: H) -> Self {
        let handler = Arc::new(handler);
        Self {
            queue: H::Job::QUEUE,
            timeout: H::Job::TIMEOUT,
            backoff: H::Job::BACKOFF,
            parallel: H::Job::PARALLEL,
            run: Box::new(move |cx, payload| {
                let handler = Arc::clone(&handler);
                Box::pin(async move {
                    let job = serde_json::from_str(&payload)
                        .map_err(|e| JobError::undecodable(format!("not a {} payload: {e}", H::Job::KIND)))?;
                    handler.run(&cx, job).await
                })
            }),
        }
    }

    pub(crate) fn run(&self, cx: JobContext, payload: String) -> Answer {
        (self.run)(cx, payload)
    }
}
