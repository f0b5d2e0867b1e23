//! Waiting for a job's outcome.
//!
//! What the contract calls synchronous is a job of the highest priority that the request waits for. A job that
//! succeeds is deleted from the hot table, so its outcome is kept in `job_outcome` for as long as its kind says
//! ([`Job::OUTCOME_TTL`](crate::kinds::Job::OUTCOME_TTL)); kinds that nobody waits for pay nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use tokio::time::Instant;

use super::signals::Signals;
use crate::ids::JobId;
use crate::retry::jittered;

/// Between two looks while signals arrive: only what was lost waits so long.
const POLL_LIVE: Duration = Duration::from_secs(2);
/// The first look without signals; each later one waits half as long again, up to [`POLL_BLIND_MAX`].
const POLL_BLIND_MIN: Duration = Duration::from_millis(20);
/// The longest between two looks without signals.
const POLL_BLIND_MAX: Duration = Duration::from_millis(400);

/// What was known of a job when the waiting ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// It succeeded; what its handler returned.
    Done(Value),
    /// It is dead, or was refused.
    Failed {
        /// Stable name of the failure.
        error_class: String,
        /// For a person.
        error: String,
        /// Facts beside the message.
        details: Option<Value>,
    },
    /// It was cancelled.
    Cancelled,
    /// It still waits or runs.
    Pending,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What is known of it.
    pub outcome: Waited,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Why waiting failed.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Neither the job nor an outcome exists.
    #[error("no job {0}, nor an outcome of it: it is unknown, its kind keeps no outcome, or that has expired")]
    Unknown(JobId),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Waits until the job ends, but no longer than `within`. The job goes on either way.
///
/// # Errors
/// [`WaitError::Unknown`] where there is nothing to wait for, [`WaitError::Database`] where the database refuses.
pub async fn wait(pool: &PgPool, signals: &Signals, id: JobId, within: Duration) -> Result<Waited, WaitError> {
    let deadline = Instant::now() + within;
    let bell = signals.outcome(id);
    let mut blind = POLL_BLIND_MIN;
    loop {
        // Interest first, then the look: an outcome between the two rings the bell.
        let rung = bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let seen = standing(pool, id).await?.outcome;
        if seen != Waited::Pending || Instant::now() >= deadline {
            return Ok(seen);
        }
        let pause = if signals.is_live() { POLL_LIVE } else { blind };
        blind = (blind * 3 / 2).min(POLL_BLIND_MAX);
        let next_look = deadline.min(Instant::now() + jittered(pause));
        tokio::select! {
            () = rung => {}
            () = tokio::time::sleep_until(next_look) => {}
        }
    }
}

/// How a job stands now.
///
/// # Errors
/// As [`wait`].
pub async fn standing<'e>(db: impl PgExecutor<'e>, id: JobId) -> Result<Standing, WaitError> {
    let row = sqlx::query!(
        r#"SELECT o.state AS "state?", o.result, o.error_class, o.error, o.details, o.finished_at AS "finished_at?",
                  j.id IS NOT NULL AS "alive!"
             FROM (SELECT $1::uuid AS id) AS asked
             LEFT JOIN job_outcome o ON o.job_id = asked.id
             LEFT JOIN job j ON j.id = asked.id"#,
        id.uuid(),
    )
    .fetch_one(db)
    .await?;
    let outcome = match row.state.as_deref() {
        Some("done") => Waited::Done(row.result.unwrap_or_default()),
        Some("failed") => Waited::Failed {
            error_class: row.error_class.unwrap_or_default(),
            error: row.error.unwrap_or_default(),
            details: row.details,
        },
        Some(_) => Waited::Cancelled,
        None if row.alive => Waited::Pending,
        None => return Err(WaitError::Unknown(id)),
    };
    Ok(Standing { outcome, finished_at: row.finished_at })
}
