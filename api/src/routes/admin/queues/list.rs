//! `GET /admin/queues`

use chrono::{DateTime, Utc};
use jobs::queue::queues;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::Slice;

/// A page of queues.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Queues"))]
pub(super) struct Queues {
    queues: Vec<Queue>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// A queue. The numbers of jobs were counted at `measured_at`, usually ten seconds ago or less.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Queue"))]
struct Queue {
    /// Its name.
    name: String,
    /// Since when nothing is taken from it; null while it runs.
    paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    paused_by: Option<String>,
    /// Living worker processes that serve it.
    workers: i64,
    /// Jobs that wait and might run.
    ready: i64,
    /// Jobs that wait for their time.
    scheduled: i64,
    /// Jobs in the hands of a worker.
    running: i64,
    /// Dead letters.
    dead: i64,
    /// For how long the oldest ready job had been ready, in seconds; null where none was.
    oldest_ready_s: Option<f64>,
    /// When the jobs were counted; null: not yet, and all is 0.
    measured_at: Option<DateTime<Utc>>,
    /// The same numbers by kind; kinds without a job are left out.
    kinds: Vec<KindCount>,
    /// The last five minutes.
    last_5_minutes: Rates,
    /// The last hour.
    last_60_minutes: Rates,
    /// How long the last hour's attempts ran; null where there were none.
    ran: Option<Spread>,
    /// How long they had been ready before they started.
    waited: Option<Spread>,
}

/// Jobs of one kind in a queue.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "QueueKind"))]
struct KindCount {
    /// The kind.
    kind: String,
    /// Jobs that wait and might run.
    ready: i64,
    /// Jobs that wait for their time.
    scheduled: i64,
    /// Jobs in the hands of a worker.
    running: i64,
    /// Dead letters.
    dead: i64,
    /// For how long the oldest ready job had been ready, in seconds.
    oldest_ready_s: Option<f64>,
}

/// How many a minute.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "QueueRates"))]
struct Rates {
    /// Jobs that succeeded.
    done_per_minute: f64,
    /// Attempts that failed, those that were a job's last one included.
    failed_per_minute: f64,
    /// Jobs that died.
    dead_per_minute: f64,
}

/// Mean and longest.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "QueueSpread"))]
struct Spread {
    /// The mean, in milliseconds.
    mean_ms: f64,
    /// The longest, in milliseconds.
    max_ms: f64,
}

impl From<queues::Queue> for Queue {
    fn from(queue: queues::Queue) -> Self {
        Self {
            name: queue.name,
            paused_at: queue.paused_at,
            paused_by: queue.paused_by,
            workers: queue.workers,
            ready: queue.ready,
            scheduled: queue.scheduled,
            running: queue.running,
            dead: queue.dead,
            oldest_ready_s: queue.oldest_ready_s,
            measured_at: queue.measured_at,
            kinds: queue.kinds.into_iter().map(KindCount::from).collect(),
            last_5_minutes: queue.last_5_minutes.into(),
            last_60_minutes: queue.last_60_minutes.into(),
            ran: queue.ran.map(Spread::from),
            waited: queue.waited.map(Spread::from),
        }
    }
}

impl From<queues::KindCount> for KindCount {
    fn from(count: queues::KindCount) -> Self {
        Self {
            kind: count.kind,
            ready: count.ready,
            scheduled: count.scheduled,
            running: count.running,
            dead: count.dead,
            oldest_ready_s: count.oldest_ready_s,
        }
    }
}

impl From<queues::Rates> for Rates {
    fn from(rates: queues::Rates) -> Self {
        Self {
            done_per_minute: rates.done_per_minute,
            failed_per_minute: rates.failed_per_minute,
            dead_per_minute: rates.dead_per_minute,
        }
    }
}

impl From<queues::Spread> for Spread {
    fn from(spread: queues::Spread) -> Self {
        Self { mean_ms: spread.mean_ms, max_ms: spread.max_ms }
    }
}

/// The queues, by name: what is in them, who serves them, and how it goes
#[endpoint(operation_id = "list_queues", tags("admin"))]
pub(super) async fn list_queues(operator: Operator, slice: Slice<(), String>) -> Result<Json<Queues>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let mut rows = queues::list(&mut conn).await?;
    rows.retain(|queue| slice.after.as_ref().is_none_or(|after| queue.name > *after));
    let (rows, next_cursor) = slice.cut(rows, |queue| queue.name.clone());
    Ok(Json(Queues { queues: rows.into_iter().map(Queue::from).collect(), next_cursor }))
}
