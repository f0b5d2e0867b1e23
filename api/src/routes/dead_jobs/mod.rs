//! Dead letters: an organisation's own. What operators see of all of them is in `routes/admin/dead_jobs`, in the same shapes.

mod get;
mod list;
mod replay;

use chrono::{DateTime, Utc};
use jobs::domain::DeathReason;
use jobs::payloads::{Audience, shown};
use jobs::queue::dead;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::problem::Problem;
use crate::request::{Filter, Parameter, Query, Slice};

pub(in crate::routes) use replay::{Replayed, refused};

pub(super) fn router() -> Router {
    Router::with_path("dead-jobs").get(list::list_org_dead_jobs).push(
        Router::with_path("{job_id}")
            .get(get::get_org_dead_job)
            .push(Router::with_path("replay").post(replay::replay_org_dead_job)),
    )
}

/// A job that will not run again by itself.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "DeadJob",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "org_id": "01890a5d-ac96-774b-bcce-b302099a8056",
        "kind": "scan",
        "queue": "scans",
        "attempt": 5,
        "reason": "attempts_exhausted",
        "error_class": "timeout",
        "error": "the attempt took longer than 1800s",
        "replays": 0,
        "died_at": "2026-01-01T00:00:00Z",
        "replay_job_id": null
    })
))]
pub(in crate::routes) struct DeadJob {
    /// The id that the job had.
    id: Uuid,
    /// Whose it was; null for the platform's own.
    org_id: Option<Uuid>,
    /// What kind of work it is.
    kind: String,
    /// The queue it waited in; a replay goes there again.
    queue: String,
    /// Attempts that it spent.
    attempt: i16,
    /// Why it died: `attempts_exhausted`, `failed_for_good`, `worker_lost`, `undecodable_payload` or `unknown_kind`.
    reason: String,
    /// Stable name of the last failure.
    error_class: String,
    /// The last failure for a person.
    error: String,
    /// How often it was replayed before.
    replays: i32,
    /// When it died.
    died_at: DateTime<Utc>,
    /// The job that replays it now.
    replay_job_id: Option<Uuid>,
}

impl From<dead::Listed> for DeadJob {
    fn from(job: dead::Listed) -> Self {
        Self {
            id: job.id.uuid(),
            org_id: Some(job.tenant).filter(|tenant| !tenant.is_nil()),
            kind: job.kind,
            queue: job.queue,
            attempt: job.attempt,
            reason: job.reason,
            error_class: job.error_class,
            error: job.error,
            replays: job.replays,
            died_at: job.died_at,
            replay_job_id: job.replay_job_id,
        }
    }
}

/// A page of dead jobs.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "DeadJobs"))]
pub(in crate::routes) struct DeadJobs {
    /// Newest first.
    dead_jobs: Vec<DeadJob>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

impl DeadJobs {
    /// The page of these rows, of which there may be one more than it shows.
    pub(in crate::routes) fn of<F>(slice: &Slice<F, dead::Cursor>, rows: Vec<dead::Listed>) -> Self {
        let (rows, next_cursor) = slice.cut(rows, dead::Cursor::after);
        Self { dead_jobs: rows.into_iter().map(DeadJob::from).collect(), next_cursor }
    }
}

/// All there is to know of a dead job.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "DeadJobDetail"))]
pub(in crate::routes) struct Detail {
    #[serde(flatten)]
    job: DeadJob,
    /// Its budget of attempts; a replay has the same again.
    max_attempts: i16,
    /// Its payload, with `[redacted]` for its secrets; null where it cannot be decoded.
    payload: Option<Value>,
    /// For operators, the beginning of a payload that cannot be decoded.
    payload_text: Option<String>,
    /// While a job with this key waits or runs, it cannot be replayed.
    unique_key: Option<String>,
    /// The request that caused it.
    request_id: Option<String>,
    /// Every failed attempt, oldest first, those of the jobs that it replayed before its own: `job_id`, `attempt`,
    /// `failed_at`, `worker_id`, `error_class`, `error`, `details`.
    #[salvo(schema(value_type = Vec<Object>))]
    attempts: Value,
    /// The dead jobs that it replayed, oldest first.
    lineage: Vec<Uuid>,
    /// When the job that replays it was enqueued.
    replayed_at: Option<DateTime<Utc>>,
}

impl Detail {
    /// As this audience may see it.
    pub(in crate::routes) fn of(job: dead::DeadJob, audience: Audience) -> Self {
        let shown = shown(&job.kind, &job.payload, audience);
        Self {
            max_attempts: job.max_attempts,
            payload: shown.payload,
            payload_text: shown.payload_text,
            unique_key: job.unique_key,
            request_id: job.request_id,
            attempts: job.errors,
            replayed_at: job.replayed_at,
            job: DeadJob {
                id: job.id.uuid(),
                org_id: Some(job.tenant).filter(|tenant| !tenant.is_nil()),
                kind: job.kind,
                queue: job.queue,
                attempt: job.attempt,
                reason: job.reason,
                error_class: job.error_class,
                error: job.error,
                replays: i32::try_from(job.lineage.len()).unwrap_or(i32::MAX),
                died_at: job.died_at,
                replay_job_id: job.replay_job_id,
            },
            lineage: job.lineage,
        }
    }
}

/// What a list of dead jobs can be narrowed by.
#[derive(Debug)]
pub(in crate::routes) struct Narrow(pub(in crate::routes) dead::Filter);

/// Its parameters.
pub(in crate::routes) const NARROW: [Parameter; 6] = [
    Parameter { name: "kind", description: "Only jobs of this kind.", words: &[], required: false },
    Parameter { name: "queue", description: "Only jobs of this queue.", words: &[], required: false },
    Parameter {
        name: "reason",
        description: "Only jobs that died for this reason.",
        words: DeathReason::WORDS,
        required: false,
    },
    Parameter {
        name: "error_class",
        description: "Only jobs whose last failure was of this class.",
        words: &[],
        required: false,
    },
    Parameter {
        name: "died_since",
        description: "Only jobs that died at this time (RFC 3339) or later.",
        words: &[],
        required: false,
    },
    Parameter {
        name: "died_until",
        description: "Only jobs that died before this time (RFC 3339).",
        words: &[],
        required: false,
    },
];

impl Filter for Narrow {
    const PARAMETERS: &'static [Parameter] = &NARROW;

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        let text = |name| query.text(name).map(|text| text.map(str::to_owned));
        Ok(Self(dead::Filter {
            kind: text("kind")?,
            tenant: None,
            queue: text("queue")?,
            reason: query.value::<DeathReason>("reason")?,
            error_class: text("error_class")?,
            died_since: query.time("died_since")?,
            died_until: query.time("died_until")?,
        }))
    }
}
