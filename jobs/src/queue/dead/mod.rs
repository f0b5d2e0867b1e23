//! Dead letters: jobs that will not run again by themselves.
//!
//! A dead job keeps its payload, every attempt's error and why it died. A replay is a new job with a fresh budget that
//! knows its ancestor. The dead row stays until the replay succeeds; if the replay dies too, its own row takes over
//! the ancestor's errors and lineage. One replay at a time. Many at once: [`replay_batch`](super::replay_batch).
//!
//! These are the changes alone; [`crate::dead_letters`] makes them together with their rows of the audit chain.

mod discard;
mod expire;
mod filter;
mod list;
mod replay;

pub use discard::{Discard, Discarded, discard};
pub use expire::{Place, expire};
pub use filter::{Cursor, Filter};
pub use list::{COUNTED, Listed, Preview, list, preview};
pub(super) use replay::enqueue_again;
pub use replay::{Replay, Replayed, replay};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::JobId;

/// A dead job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadJob {
    /// The id that the job had.
    pub id: JobId,
    /// Whose it was; the nil UUID is the platform itself.
    #[serde(rename = "org_id", serialize_with = "org_or_null")]
    pub tenant: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Attempts that it spent.
    pub attempt: i16,
    /// Its budget; a replay has the same again.
    pub max_attempts: i16,
    /// Its payload: JSON, or whatever could not be decoded. Show it by [`payloads::shown`](crate::payloads::shown).
    #[serde(skip)]
    pub payload: String,
    /// Its unique key.
    pub unique_key: Option<String>,
    /// The API request that caused it.
    pub request_id: Option<String>,
    /// Why it died, see [`DeathReason`](super::DeathReason).
    pub reason: String,
    /// Class of the last failure.
    pub error_class: String,
    /// Message of the last failure.
    pub error: String,
    /// Every failed attempt, oldest first.
    pub errors: Value,
    /// The dead jobs that it replayed, oldest first.
    pub lineage: Vec<Uuid>,
    /// When it died.
    pub died_at: DateTime<Utc>,
    /// The job that replays it now.
    pub replay_job_id: Option<Uuid>,
    /// When that was enqueued.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// Finds a dead job.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<DeadJob>> {
    sqlx::query_as!(
        DeadJob,
        "SELECT id, tenant, kind, queue, attempt, max_attempts, payload, unique_key, request_id, reason, error_class, error,
                errors, lineage, died_at, replay_job_id, replayed_at
           FROM dead_job WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// People are shown null for the platform's own.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn org_or_null<S: Serializer>(tenant: &Uuid, to: S) -> Result<S::Ok, S::Error> {
    Some(tenant).filter(|tenant| !tenant.is_nil()).serialize(to)
}

/// How a job stands that somebody wants to do something about, its row locked if it is dead.
enum Locked {
    /// Dead, and nothing is done about it.
    Dead,
    /// Dead and being replayed, as this job.
    BeingReplayed(JobId),
    /// It waits or runs.
    Alive,
    /// Neither.
    Absent,
}

async fn lock(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Locked> {
    let locked = sqlx::query_scalar!("SELECT replay_job_id FROM dead_job WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_optional(&mut *conn)
        .await?;
    match locked {
        Some(None) => return Ok(Locked::Dead),
        Some(Some(replay)) => return Ok(Locked::BeingReplayed(JobId::from(replay))),
        None => {}
    }
    let is_alive =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM job WHERE id = $1) AS "alive!""#, id.uuid()).fetch_one(conn);
    Ok(if is_alive.await? { Locked::Alive } else { Locked::Absent })
}
