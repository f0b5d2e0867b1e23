//! All there is to know of one job, wherever it is by now: waiting, running, dead, or ended.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::dead::{self, DeadJob};
use super::live::{self, LiveJob};
use super::wait::{Standing, WaitError, standing};
use crate::ids::JobId;

/// What became of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// It waits or runs.
    Lives {
        /// How it stands.
        job: LiveJob,
        /// Its payload, as it is: show it through [`payloads::shown`](crate::payloads::shown).
        payload: String,
        /// The attempts that failed, oldest first.
        failures: Vec<Failed>,
    },
    /// It is dead.
    Dead(DeadJob),
    /// It has ended, and somebody may still ask how.
    Ended(Standing),
    /// It never was, or it has ended and its outcome is not kept.
    Unknown,
}

/// A failed attempt of a job that lives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// The attempt.
    pub attempt: i16,
    /// When it failed.
    pub failed_at: DateTime<Utc>,
    /// The worker that ran it.
    pub worker_id: Uuid,
    /// Stable name of the failure.
    pub error_class: String,
    /// For a person.
    pub error: String,
    /// Facts beside the message.
    pub details: Option<Value>,
}

/// Looks for a job.
///
/// # Errors
/// When the database refuses.
pub async fn look(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Sight> {
    if let Some((job, payload)) = live::get(conn, id).await? {
        return Ok(Sight::Lives { job, payload, failures: failures(conn, id).await? });
    }
    if let Some(dead) = dead::get(conn, id).await? {
        return Ok(Sight::Dead(dead));
    }
    match standing(&mut *conn, id).await {
        Ok(standing) => Ok(Sight::Ended(standing)),
        Err(WaitError::Unknown(_)) => Ok(Sight::Unknown),
        Err(WaitError::Database(error)) => Err(error),
    }
}

/// The failed attempts of a job that lives, oldest first.
async fn failures(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Vec<Failed>> {
    sqlx::query_as!(
        Failed,
        "SELECT attempt, failed_at, worker_id, error_class, error, details
           FROM job_error WHERE job_id = $1 ORDER BY claim_no",
        id.uuid(),
    )
    .fetch_all(conn)
    .await
}
