//! The second reading: the parser on a thread of its own, its findings in batches into the database.

use std::ops::ControlFlow;

use drift::DeclaredResource;
use drift::state::{self, Limits, StateError, StateSummary};
use jobs::db::declared_resource::{self, NewDeclared};
use jobs::db::json::plain_text;
use jobs::db::state_snapshot::{self, Contents, ParseFailure, Stored};
use jobs::ids::StateSnapshotId;
use jobs::queue::JobError;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::bytes::Plain;
use super::{Bytes, IngestError, Source};

/// Resources written in one statement.
const BATCH: usize = 500;
/// Batches that may wait for the database.
const WAITING: usize = 4;

/// Parses a state and stores it as a new snapshot. When somebody else has stored the same content meanwhile, that is it.
pub(super) async fn store<F>(
    conn: &mut PgConnection,
    source: &Source<'_, F>,
    hash: &str,
    bytes: Bytes,
) -> Result<Stored, IngestError> {
    let id = StateSnapshotId::new();
    if !state_snapshot::begin(conn, source.org_id, source.id, id, hash).await? {
        let known = state_snapshot::find(conn, source.org_id, source.id, hash).await?;
        return known.ok_or_else(|| changed("its snapshot went away"));
    }
    let plain = Plain::open(bytes).await?;
    let blame = plain.blame();
    let key = source.key.clone();
    let (sender, mut batches) = mpsc::channel(WAITING);
    let parsing = tokio::task::spawn_blocking(move || parse(plain, &key, &sender));
    while let Some(batch) = batches.recv().await {
        declared_resource::insert_many(conn, source.org_id, id, &batch).await?;
    }
    let summary = match parsing.await {
        Ok(Ok(summary)) => summary,
        Ok(Err(StateError::Io(error))) => return Err(blame.error(&error)),
        Ok(Err(error)) => return Err(IngestError::refused(&error)),
        Err(panic) => return Err(IngestError::Job(JobError::retry("panic", format!("the state's parser: {panic}")))),
    };
    if summary.sha256 != hash {
        return Err(changed("it was written while it was read"));
    }
    complete(conn, source, id, &summary).await
}

/// The state is another one than a moment ago: worth another try.
fn changed(how: &str) -> IngestError {
    IngestError::Job(JobError::retry("state_changed", format!("the state changed: {how}")))
}

/// Parses on a blocking thread. Ends early when nobody takes the batches any more.
fn parse(
    plain: Plain,
    key: &drift::sensitive::SensitiveKey,
    batches: &mpsc::Sender<Vec<NewDeclared>>,
) -> Result<StateSummary, StateError> {
    let mut pending = Vec::with_capacity(BATCH);
    let summary = state::read(plain, &Limits::default(), key, |resource| {
        let Ok(declared) = row(resource) else { return ControlFlow::Break(()) };
        pending.push(declared);
        if pending.len() < BATCH {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut pending, Vec::with_capacity(BATCH));
        if batches.blocking_send(full).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    batches.blocking_send(pending).map_err(|_| StateError::Stopped)?;
    Ok(summary)
}

fn row(resource: DeclaredResource) -> serde_json::Result<NewDeclared> {
    Ok(NewDeclared {
        resource: serde_json::to_string(&resource)?,
        address: resource.address,
        provider_type: resource.provider_type,
        provider_resource_id: resource.provider_resource_id,
    })
}

async fn complete<F>(
    conn: &mut PgConnection,
    source: &Source<'_, F>,
    id: StateSnapshotId,
    summary: &StateSummary,
) -> Result<Stored, IngestError> {
    let failures: Vec<ParseFailure> = summary
        .parse_failures
        .iter()
        .map(|failure| ParseFailure {
            address: plain_text(&failure.address).into_owned(),
            reason: plain_text(&failure.reason).into_owned(),
        })
        .collect();
    let text = |member: &Option<String>| plain_text(member.as_deref().unwrap_or_default()).into_owned();
    let (lineage, terraform_version) = (text(&summary.lineage), text(&summary.terraform_version));
    let contents = Contents {
        size_bytes: i64::try_from(summary.bytes).unwrap_or(i64::MAX),
        serial: summary.serial.and_then(|serial| i64::try_from(serial).ok()).unwrap_or_default(),
        lineage: &lineage,
        terraform_version: &terraform_version,
        resource_count: i32::try_from(summary.resource_count).unwrap_or(i32::MAX),
        parse_failure_count: i32::try_from(summary.parse_failure_count).unwrap_or(i32::MAX),
        parse_failures: &failures,
    };
    state_snapshot::complete(conn, source.org_id, id, &contents).await?;
    Ok(Stored {
        id,
        content_hash: summary.sha256.clone(),
        resource_count: contents.resource_count,
        parse_failure_count: contents.parse_failure_count,
    })
}
