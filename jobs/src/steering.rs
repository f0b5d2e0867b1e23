//! What people do to the queue that runs, with its row in the audit chain: pausing and resuming queues, cancelling jobs.
//! The API and the command line call the same functions.

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::audit::{self, Action, AppendError, By, Target};
use crate::ids::{JobId, OrgId};
use crate::queue::control::{self, Cancellation};
use crate::queue::sight::{Sight, look};
use crate::queue::{live, queues};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// There is no such queue.
    #[error("there is no queue {name}; there are {}", known.join(", "))]
    UnknownQueue {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The audit row could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// How a queue shall stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nothing more is claimed from it; what runs, runs on.
    Paused,
    /// It is served.
    Running,
}

/// What shall become of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Steering<'a> {
    /// Which.
    pub queue: &'a str,
    /// How it shall stand.
    pub stand: Stand,
    /// Why, for the audit log.
    pub note: Option<&'a str>,
}

/// Pauses or resumes a queue. Says whether that is a change; only a change is audited.
///
/// # Errors
/// See [`SteeringError`].
pub async fn steer(conn: &mut PgConnection, by: By<'_>, steering: &Steering<'_>) -> Result<bool, SteeringError> {
    let Steering { queue, stand, note } = *steering;
    known(conn, queue).await?;
    let mut tx = conn.begin().await?;
    let (changed, action) = match stand {
        Stand::Paused => (control::pause(&mut tx, queue, &by.actor.display).await?, Action::QueuePaused),
        Stand::Running => (control::resume(&mut tx, queue).await?, Action::QueueResumed),
    };
    if changed {
        let target = Target { kind: "queue", id: queue.to_owned() };
        audit::append(&mut tx, &by.entry(None, action, target, json!({"note": note}))).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

async fn known(conn: &mut PgConnection, queue: &str) -> Result<(), SteeringError> {
    let names = queues::names(conn).await?;
    if names.contains(queue) {
        return Ok(());
    }
    Err(SteeringError::UnknownQueue { name: queue.to_owned(), known: names.into_iter().collect() })
}

/// What a cancellation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The job waited; it is gone.
    Now,
    /// The job runs and has been told: now, or before.
    Requested,
    /// It is dead: there is nothing to cancel.
    Dead,
    /// It has ended.
    Ended,
    /// Nothing is known of such a job: it never was, or it has ended and its outcome is not kept.
    Unknown,
}

/// Cancels a job: at once while it waits, by its handler's token while it runs. A change is audited in its
/// organisation's chain, or in the platform's.
///
/// # Errors
/// See [`SteeringError`].
pub async fn cancel(conn: &mut PgConnection, id: JobId, by: By<'_>) -> Result<Cancelled, SteeringError> {
    let mut tx = conn.begin().await?;
    let Some((job, _)) = live::get(&mut tx, id).await? else {
        return fate(&mut tx, id).await;
    };
    let (done, action) = match control::cancel(&mut tx, id, "cancelled on request").await? {
        Cancellation::Cancelled => (Cancelled::Now, Action::JobCancelled),
        Cancellation::Requested => (Cancelled::Requested, Action::JobCancelRequested),
        Cancellation::NotFound => return fate(&mut tx, id).await,
    };
    // It was asked for before: no change.
    if done == Cancelled::Now || job.cancel_requested_at.is_none() {
        let target = Target { kind: "job", id: id.to_string() };
        let details = json!({"kind": job.kind, "queue": job.queue});
        let entry = by.entry(job.org_id.map(OrgId::from), action, target, details);
        audit::append(&mut tx, &entry).await?;
    }
    tx.commit().await?;
    Ok(done)
}

/// What became of a job that does not live.
async fn fate(conn: &mut PgConnection, id: JobId) -> Result<Cancelled, SteeringError> {
    Ok(match look(conn, id).await? {
        Sight::Dead(_) => Cancelled::Dead,
        Sight::Ended(_) => Cancelled::Ended,
        // A job does not come back to life; a replay has an id of its own.
        Sight::Lives { .. } | Sight::Unknown => Cancelled::Unknown,
    })
}
