//! Replays of many of an endpoint's events: what was asked for, and how far each is.

pub(super) mod create;
mod get;

use chrono::{DateTime, Utc};
use jobs::db::webhook_replay;
use jobs::domain::{BatchState, ReplayWhich};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

pub(super) fn router() -> Router {
    Router::with_path("replays/{replay_id}").get(get::get)
}

/// A replay of many of an endpoint's events.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "WebhookReplay",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8059",
        "state": "running",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-01T08:00:00Z",
        "only_failed": true,
        "reached_at": "2026-01-01T02:00:00Z",
        "progress": 0.25,
        "replayed": 120,
        "in_flight": 1,
        "created_by": "ada@example.com",
        "created_at": "2026-01-01T08:00:00Z",
        "finished_at": null
    })
))]
struct Replay {
    /// Its id.
    id: Uuid,
    /// `waiting`, `running`, then `done`, or `cancelled` because the endpoint was deleted or disabled.
    #[salvo(schema(value_type = String))]
    state: BatchState,
    /// Events of this time on.
    since: DateTime<Utc>,
    /// Events before this time.
    until: DateTime<Utc>,
    /// Whether only deliveries are sent again that failed or were given up; otherwise every event that the endpoint asks for.
    only_failed: bool,
    /// The time of the last event that was looked at.
    reached_at: DateTime<Utc>,
    /// How much of the time between `since` and `until` was looked at, 0 to 1.
    progress: f64,
    /// Deliveries that are sent again through it.
    replayed: i64,
    /// Deliveries that were being sent just then, and were left alone.
    in_flight: i64,
    /// Who asked for it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it was through, or cancelled.
    finished_at: Option<DateTime<Utc>>,
}

impl From<webhook_replay::WebhookReplay> for Replay {
    fn from(replay: webhook_replay::WebhookReplay) -> Self {
        Self {
            id: replay.id.uuid(),
            state: replay.state,
            progress: progress(&replay),
            since: replay.since,
            until: replay.until,
            only_failed: replay.which == ReplayWhich::Failed,
            reached_at: replay.reached_at,
            replayed: replay.replayed,
            in_flight: replay.in_flight,
            created_by: replay.created_by.0.display,
            created_at: replay.created_at,
            finished_at: replay.finished_at,
        }
    }
}

/// By time, as nobody counts the events beforehand.
fn progress(replay: &webhook_replay::WebhookReplay) -> f64 {
    let whole = (replay.until - replay.since).as_seconds_f64();
    let done = (replay.reached_at - replay.since).as_seconds_f64();
    if whole > 0.0 { (done / whole).clamp(0.0, 1.0) } else { 1.0 }
}
