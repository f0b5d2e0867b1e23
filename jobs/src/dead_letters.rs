//! What people do to the dead, each with its row of the audit chain: replay, discard, replay many. The API, the command line and
//! the worker all do it by these functions, in a transaction of theirs.
//!
//! What happens to an organisation's job stands in the organisation's chain, also where an operator did it; what happens to
//! the platform's own jobs, and the batches as such, in the platform's.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::audit::{Action, Actor, ActorKind, AppendError, By, Entry, Origin, Target, append, append_many};
use crate::db::org;
use crate::ids::{JobId, OrgId, ReplayBatchId};
use crate::queue::dead::{self, Discard, Replay, Replayed};
use crate::queue::replay_batch::{self, Cancelling, CreateError, NewBatch, ReplayBatch, Slice};

/// Why a batch was not created, or its creation not written down.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// It was not created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// It was not written down.
    #[error(transparent)]
    Audit(#[from] AppendError),
}

/// The longest reason or note, in characters.
pub const LONGEST_REASON: usize = 1_000;

/// Whether this can stand in the audit log as a reason: not empty, not a book.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_REASON
}

impl<'a> By<'a> {
    fn of_batch(self, action: Action, batch: &ReplayBatch) -> Entry<'a> {
        let progress = json!({
            "filter": batch.filter,
            "note": batch.note,
            "total": batch.total,
            "replayed": batch.replayed,
            "skipped": batch.skipped(),
        });
        self.entry(None, action, Target { kind: "replay_batch", id: batch.id.to_string() }, progress)
    }
}

/// Replays a dead job.
///
/// # Errors
/// When the database fails.
pub async fn replay(conn: &mut PgConnection, by: By<'_>, id: JobId) -> Result<Replay, AppendError> {
    let replay = dead::replay(conn, id).await?;
    if let Replay::Enqueued(replayed) = &replay {
        write_down(conn, by, std::slice::from_ref(replayed), None).await?;
    }
    Ok(replay)
}

/// Discards a dead job, for a reason.
///
/// # Errors
/// When the database fails.
pub async fn discard(conn: &mut PgConnection, by: By<'_>, id: JobId, why: &str) -> Result<Discard, AppendError> {
    let discard = dead::discard(conn, id).await?;
    if let Discard::Discarded(gone) = &discard {
        let chains = org::existing(conn, &[gone.tenant]).await?;
        let details = json!({
            "why": why,
            "kind": gone.kind,
            "tenant": gone.tenant,
            "reason": gone.reason,
            "error_class": gone.error_class,
            "died_at": gone.died_at,
        });
        let target = Target { kind: "dead_job", id: gone.id.to_string() };
        append(conn, &by.entry(chain(&chains, gone.tenant), Action::DeadJobDiscarded, target, details)).await?;
    }
    Ok(discard)
}

/// Creates a batch of replays. On an error the caller rolls back.
///
/// # Errors
/// See [`BatchError`].
pub async fn replay_many(conn: &mut PgConnection, new: &NewBatch<'_>) -> Result<ReplayBatch, BatchError> {
    let batch = replay_batch::create(conn, new).await?;
    let by = By { actor: new.actor, origin: new.origin };
    append(conn, &by.of_batch(Action::ReplayBatchCreated, &batch)).await?;
    Ok(batch)
}

/// Replays the next slice of a batch, in the name of whoever created it. The transaction must hold the claim of the batch's job.
///
/// # Errors
/// When the database fails.
pub async fn replay_slice(conn: &mut PgConnection, id: ReplayBatchId) -> Result<Slice, AppendError> {
    let slice = replay_batch::slice(conn, id).await?;
    if let Slice::Taken { replayed, batch, .. } = &slice {
        let by = By { actor: &batch.created_by, origin: &batch.origin };
        write_down(conn, by, replayed, Some(batch)).await?;
    }
    Ok(slice)
}

/// Cancels a batch of replays.
///
/// # Errors
/// When the database fails.
pub async fn cancel_replays(conn: &mut PgConnection, by: By<'_>, id: ReplayBatchId) -> Result<Cancelling, AppendError> {
    let cancelling = replay_batch::cancel(conn, id).await?;
    if let Cancelling::Cancelled(batch) = &cancelling {
        append(conn, &by.of_batch(Action::ReplayBatchCancelled, batch)).await?;
    }
    Ok(cancelling)
}

/// Cancels the batches whose job is gone, in the platform's own name; says how many.
///
/// # Errors
/// When the database fails; the caller then rolls back.
pub async fn cancel_abandoned(conn: &mut PgConnection) -> Result<usize, AppendError> {
    let platform =
        Actor { kind: ActorKind::System, id: "plumbline".to_owned(), display: "the batch's job was gone".to_owned() };
    let by = By { actor: &platform, origin: &Origin::default() };
    let abandoned = replay_batch::abandoned(conn).await?;
    for id in &abandoned {
        cancel_replays(conn, by, *id).await?;
    }
    Ok(abandoned.len())
}

/// Writes down what was replayed, and the end of the batch that did it if this was its last slice.
async fn write_down(
    conn: &mut PgConnection,
    by: By<'_>,
    replayed: &[Replayed],
    batch: Option<&ReplayBatch>,
) -> Result<(), AppendError> {
    let tenants: Vec<Uuid> = replayed.iter().map(|job| job.tenant).collect();
    let chains = org::existing(conn, &tenants).await?;
    let mut entries: Vec<Entry<'_>> = replayed
        .iter()
        .map(|job| {
            let details = json!({"kind": job.kind, "replay_job_id": job.id, "batch_id": batch.map(|batch| batch.id)});
            let target = Target { kind: "dead_job", id: job.dead_id.to_string() };
            by.entry(chain(&chains, job.tenant), Action::DeadJobReplayed, target, details)
        })
        .collect();
    let ended = batch.filter(|batch| batch.finished_at.is_some());
    entries.extend(ended.map(|batch| by.of_batch(Action::ReplayBatchFinished, batch)));
    append_many(conn, &entries).await
}

/// The chain of a tenant: the platform's for its own jobs, and for those of an organisation that is gone.
fn chain(existing: &BTreeSet<OrgId>, tenant: Uuid) -> Option<OrgId> {
    Some(OrgId::from(tenant)).filter(|org| existing.contains(org))
}
