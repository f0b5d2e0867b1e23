//! `GET /admin/workers`

use chrono::{DateTime, Utc};
use jobs::queue::workers;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::{Json, Router};
use serde::Serialize;
use uuid::Uuid;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::Slice;

/// A page of worker processes.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Workers"))]
struct Workers {
    workers: Vec<Worker>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// A worker process.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Worker",
    example = json!({
        "id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        "name": "worker-1:4711",
        "queues": ["scans", "drift"],
        "alive": true,
        "started_at": "2026-01-01T00:00:00Z",
        "beat_at": "2026-01-01T08:00:00Z",
        "beat_age_s": 2.1
    })
))]
struct Worker {
    /// Random, new at every start.
    id: Uuid,
    /// Host and process.
    name: String,
    /// The queues that it serves.
    queues: Vec<String>,
    /// Whether it has given a sign of life within its lease; if not, its jobs are taken back within seconds.
    alive: bool,
    /// When it started.
    started_at: DateTime<Utc>,
    /// Its last sign of life; one every five seconds is usual.
    beat_at: DateTime<Utc>,
    /// How many seconds ago that was.
    beat_age_s: f64,
}

impl From<workers::Worker> for Worker {
    fn from(worker: workers::Worker) -> Self {
        Self {
            id: worker.id,
            name: worker.name,
            queues: worker.queues,
            alive: worker.alive,
            started_at: worker.started_at,
            beat_at: worker.beat_at,
            beat_age_s: worker.beat_age_s,
        }
    }
}

pub(super) fn router() -> Router {
    Router::with_path("workers").get(list)
}

/// The worker processes, by name
#[endpoint(operation_id = "list_workers", tags("admin"))]
async fn list(operator: Operator, slice: Slice<(), workers::Place>) -> Result<Json<Workers>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let rows = workers::list(&mut conn, slice.after.as_ref(), slice.asked()).await?;
    let (rows, next_cursor) = slice.cut(rows, |worker| (worker.name.clone(), worker.id));
    Ok(Json(Workers { workers: rows.into_iter().map(Worker::from).collect(), next_cursor }))
}
