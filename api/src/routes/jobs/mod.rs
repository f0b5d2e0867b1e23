//! Jobs that wait or run: an organisation's own. What operators see of all of them is in `routes/admin/jobs`, in the same
//! shapes.

mod get;
mod list;

use chrono::{DateTime, Utc};
use jobs::ids::JobId;
use jobs::queue::live::{self, FilterError, LiveJob, State};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::problem::Problem;
use crate::request::{Filter, Parameter, Query};

pub(in crate::routes) use get::{Detail, Seen};

pub(super) fn router() -> Router {
    Router::with_path("jobs").get(list::list_org_jobs).push(Router::with_path("{job_id}").get(get::get_org_job))
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Job",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "org_id": "01890a5d-ac96-774b-bcce-b302099a8056",
        "kind": "scan",
        "queue": "scans",
        "state": "ready",
        "priority": 50,
        "attempt": 1,
        "max_attempts": 5,
        "enqueued_at": "2026-01-01T00:00:00Z",
        "run_at": "2026-01-01T00:00:00Z",
        "started_at": null,
        "worker_id": null,
        "cancel_requested_at": null,
        "request_id": null,
        "replay_of": null
    })
))]
pub(in crate::routes) struct Job {
    /// Its id.
    id: Uuid,
    /// Whose it is; null for the platform's own.
    org_id: Option<Uuid>,
    /// What kind of work it is.
    kind: String,
    /// The queue it waits in.
    queue: String,
    /// ready, scheduled (for `run_at`) or running.
    state: &'static str,
    /// Lower runs first.
    priority: i16,
    /// Attempts spent, the running one included.
    attempt: i16,
    /// The attempt after which it is dead.
    max_attempts: i16,
    /// When it was enqueued.
    enqueued_at: Option<DateTime<Utc>>,
    /// Not run before.
    run_at: DateTime<Utc>,
    /// When a worker took it; null while it waits.
    started_at: Option<DateTime<Utc>>,
    /// That worker.
    worker_id: Option<Uuid>,
    /// When somebody asked for it to be cancelled while it runs.
    cancel_requested_at: Option<DateTime<Utc>>,
    /// The request that caused it.
    request_id: Option<String>,
    /// The dead job that it replays.
    replay_of: Option<Uuid>,
}

impl From<LiveJob> for Job {
    fn from(job: LiveJob) -> Self {
        Self {
            id: job.id.uuid(),
            org_id: job.org_id,
            kind: job.kind,
            queue: job.queue,
            state: job.state.as_str(),
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            enqueued_at: job.enqueued_at,
            run_at: job.run_at,
            started_at: job.started_at,
            worker_id: job.worker_id,
            cancel_requested_at: job.cancel_requested_at,
            request_id: job.request_id,
            replay_of: job.replay_of,
        }
    }
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Jobs"))]
pub(in crate::routes) struct Jobs {
    /// Newest first.
    jobs: Vec<Job>,
    /// Where the next page begins; null on the last. A page may have fewer rows than its limit and yet not be the last.
    next_cursor: Option<String>,
}

impl From<live::Part> for Jobs {
    fn from(part: live::Part) -> Self {
        Self {
            jobs: part.jobs.into_iter().map(Job::from).collect(),
            next_cursor: part.next.map(|id| jobs::cursor::encode(&id)),
        }
    }
}

/// What a list of jobs can be narrowed by.
#[derive(Debug)]
pub(in crate::routes) struct Narrow {
    queue: Option<String>,
    kind: Option<String>,
    state: Option<State>,
}

/// Its parameters.
pub(in crate::routes) const NARROW: [Parameter; 3] = [
    Parameter { name: "queue", description: "Only jobs of this queue.", words: &[], required: false },
    Parameter { name: "kind", description: "Only jobs of this kind.", words: &[], required: false },
    Parameter { name: "state", description: "Only jobs that stand so.", words: State::WORDS, required: false },
];

impl Filter for Narrow {
    const PARAMETERS: &'static [Parameter] = &NARROW;

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        Ok(Self {
            queue: query.text("queue")?.map(ToOwned::to_owned),
            kind: query.text("kind")?.map(ToOwned::to_owned),
            state: query.value("state")?,
        })
    }
}

impl Narrow {
    /// The filter for the query.
    ///
    /// # Errors
    /// 422 where it could find nothing.
    pub(in crate::routes) async fn check(&self, conn: &mut PgConnection) -> Result<live::Filter<'_>, Problem> {
        let filter = live::Filter { queue: self.queue.as_deref(), kind: self.kind.as_deref(), state: self.state };
        filter.checked(conn).await.map_err(|error| match error {
            FilterError::Invalid { field, message } => Problem::invalid(field, message),
            FilterError::Database(error) => error.into(),
        })
    }
}

/// Which part of a list of jobs.
pub(in crate::routes) const fn slice(limit: i64, before: Option<JobId>) -> live::Slice {
    live::Slice { before, limit }
}
