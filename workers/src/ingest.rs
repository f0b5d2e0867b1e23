//! From a state's bytes to its rows.
//!
//! The bytes are read twice: once for their hash, since a state that is known already is not parsed again, and once to
//! parse them. Nothing is kept in between, neither in memory nor on a disk, for states hold secrets. Everything that a
//! state gives is written in one transaction, which is rolled back when the parser refuses the rest of it.

mod bytes;
mod error;
mod parse;

use std::future::Future;

use drift::sensitive::SensitiveKey;
use jobs::db::{state_snapshot, state_source};
use jobs::ids::{OrgId, StateSnapshotId, StateSourceId};
use jobs::kinds::refresh_state_source::Refreshed;
use jobs::queue::JobError;
use sqlx::{Connection as _, PgConnection};
use tokio::io::AsyncRead;

use crate::runtime::JobContext;

pub use error::{Fault, IngestError, Reason};

/// A state's bytes, opened.
pub type Bytes = Box<dyn AsyncRead + Send + Unpin>;

/// What is read, and for whom.
pub struct Source<'a, F> {
    /// The organisation.
    pub org_id: OrgId,
    /// The state source.
    pub id: StateSourceId,
    /// The snapshot that the source has now.
    pub latest: Option<StateSnapshotId>,
    /// The key of the secrets' hashes.
    pub key: &'a SensitiveKey,
    /// Opens the bytes from their beginning.
    pub open: F,
}

/// Reads a state and makes it the source's latest snapshot.
///
/// # Errors
/// See [`IngestError`]; then nothing was stored.
pub async fn ingest<F, Fut>(
    cx: &JobContext,
    conn: &mut PgConnection,
    source: Source<'_, F>,
) -> Result<Refreshed, IngestError>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<Bytes, IngestError>> + Send,
{
    let hash = bytes::hash((source.open)().await?).await?;
    let mut tx = conn.begin().await?;
    let snapshot = if let Some(known) = state_snapshot::find(&mut tx, source.org_id, source.id, &hash).await? {
        known
    } else {
        let bytes = (source.open)().await?;
        parse::store(&mut tx, &source, &hash, bytes).await?
    };
    cx.hold(&mut tx).await.map_err(IngestError::Job)?;
    let read_at = state_source::set_fetched(&mut tx, source.org_id, source.id, snapshot.id).await?;
    let read_at = read_at.ok_or_else(|| {
        IngestError::Job(JobError::fail("not_found", format!("state source {} was deleted meanwhile", source.id)))
    })?;
    tx.commit().await?;
    Ok(Refreshed {
        content_hash: snapshot.content_hash,
        last_fetched_at: read_at,
        refreshed: source.latest != Some(snapshot.id),
        resource_count: snapshot.resource_count,
        snapshot_id: snapshot.id,
    })
}
