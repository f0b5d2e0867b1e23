//! Batches of replays: what was asked for, and how far each is.

mod cancel;
mod create;
mod get;
mod list;

use chrono::{DateTime, Utc};
use jobs::domain::BatchState;
use jobs::queue::dead::Filter;
use jobs::queue::replay_batch::ReplayBatch;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

pub(super) fn router() -> Router {
    Router::with_path("replays").get(list::list_replays).post(create::create_replays).push(
        Router::with_path("{batch_id}")
            .get(get::get_replays)
            .push(Router::with_path("cancel").post(cancel::cancel_replays)),
    )
}

/// A batch of replays.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "ReplayBatch",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8059",
        "state": "running",
        "filter": {"kind": "scan", "died_since": "2026-01-01T00:00:00Z"},
        "rate": 50.0,
        "note": "the cloud is back",
        "created_by": "on-call",
        "total": 1200,
        "replayed": 350,
        "skipped": {"superseded": 3, "already_replayed": 0, "discarded": 1, "expired": 0},
        "created_at": "2026-01-01T08:00:00Z",
        "started_at": "2026-01-01T08:00:00Z",
        "finished_at": null
    })
))]
pub(super) struct Batch {
    /// Its id.
    id: Uuid,
    /// `waiting`, `running`, then `done` or `cancelled`.
    #[salvo(schema(value_type = String))]
    state: BatchState,
    /// What chose its dead jobs, when it was created.
    #[salvo(schema(value_type = Object))]
    filter: Filter,
    /// Jobs a second at most; null: as fast as it goes.
    rate: Option<f64>,
    /// Why, in its creator's words.
    note: Option<String>,
    /// Who created it.
    created_by: String,
    /// Its dead jobs.
    total: i64,
    /// Those that run again through it.
    replayed: i64,
    /// Those that it passed over, by reason.
    skipped: Skipped,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// Dead jobs that a batch passed over.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "SkippedReplays"))]
struct Skipped {
    /// A job with the same unique key waited or ran.
    superseded: i64,
    /// Somebody else had replayed them.
    already_replayed: i64,
    /// Somebody had discarded them.
    discarded: i64,
    /// They were past their retention.
    expired: i64,
}

impl From<ReplayBatch> for Batch {
    fn from(batch: ReplayBatch) -> Self {
        Self {
            id: batch.id.uuid(),
            state: batch.state,
            filter: batch.filter.0,
            rate: batch.rate,
            note: batch.note,
            created_by: batch.created_by.0.display,
            total: batch.total,
            replayed: batch.replayed,
            skipped: Skipped {
                superseded: batch.superseded,
                already_replayed: batch.already_replayed,
                discarded: batch.discarded,
                expired: batch.expired,
            },
            created_at: batch.created_at,
            started_at: batch.started_at,
            finished_at: batch.finished_at,
        }
    }
}
