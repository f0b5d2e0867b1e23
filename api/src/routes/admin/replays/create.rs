//! `POST /admin/dead-jobs/replays`

use chrono::{DateTime, Utc};
use jobs::dead_letters::{self, BatchError, LONGEST_REASON, is_reason};
use jobs::domain::DeathReason;
use jobs::queue::dead::{self, Filter};
use jobs::queue::replay_batch::{CreateError, NewBatch, RATES};
use salvo::Writer as _;
use salvo::http::StatusCode;
use salvo::oapi::{Components, RefOr, Schema, ToSchema, endpoint};
use serde::{Deserialize, Serialize};

use super::Batch;
use crate::access::Operator;
use crate::answer::Accepted;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::Problem;
use crate::request::{Body, field_id};
use crate::routes::dead_jobs::DeadJob;

/// Which dead jobs to replay, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(
    name = "NewReplays",
    example = json!({
        "filter": {"kind": "scan", "died_since": "2026-01-01T00:00:00Z"},
        "rate": 50,
        "note": "the cloud is back"
    })
))]
pub(super) struct NewReplays {
    filter: Choice,
    /// Jobs a second at most, 0.1 to 1000; absent: as fast as it goes.
    rate: Option<f64>,
    /// Only count what matches and show the newest ten.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the audit log, 1 to 1000 characters.
    note: Option<String>,
}

/// Which dead jobs: all that is given must be so. Empty means all of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "DeadJobFilter"))]
struct Choice {
    kind: Option<String>,
    /// The nil UUID means the platform's own.
    org_id: Option<String>,
    queue: Option<String>,
    /// `attempts_exhausted`, `failed_for_good`, `worker_lost`, `undecodable_payload` or `unknown_kind`.
    reason: Option<String>,
    error_class: Option<String>,
    /// Dead at this time or later.
    died_since: Option<DateTime<Utc>>,
    /// Dead before this time.
    died_until: Option<DateTime<Utc>>,
}

impl Choice {
    fn filter(self) -> Result<Filter, Problem> {
        let reason = self.reason.map(|word| word.parse::<DeathReason>());
        Ok(Filter {
            kind: self.kind,
            tenant: self.org_id.map(|text| field_id("filter.org_id", &text)).transpose()?,
            queue: self.queue,
            reason: reason.transpose().map_err(|error| Problem::invalid("filter.reason", error.to_string()))?,
            error_class: self.error_class,
            died_since: self.died_since,
            died_until: self.died_until,
        })
    }
}

/// What a dry run finds.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ReplayPreview"))]
pub(super) struct Preview {
    /// Dead jobs that match; counting stops at 100,000.
    count: i64,
    /// Whether there may be more than counted.
    or_more: bool,
    /// The newest ten.
    newest: Vec<DeadJob>,
}

/// A batch that has begun, or a preview of one. The document has the preview under its own status.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Begun {
    /// 202.
    Batch(Box<Batch>),
    /// 200.
    Preview(Preview),
}

impl ToSchema for Begun {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        Batch::to_schema(components)
    }
}

/// Replay the dead jobs that match a filter
///
/// Those that match now; what dies later is none of it. Each is replayed once, or skipped with a reason; what fails again is a
/// dead job again. With `dry_run` nothing is done but counting.
#[endpoint(
    operation_id = "create_replays",
    tags("admin"),
    responses((status_code = 200, description = "What a dry run finds", body = Preview))
)]
pub(super) async fn create_replays(
    operator: Operator,
    body: Body<NewReplays>,
    idempotency: Idempotency,
) -> Result<Accepted<Begun>, Problem> {
    let NewReplays { filter, rate, dry_run, note } = body.0;
    let filter = filter.filter()?;
    if rate.is_some_and(|rate| !RATES.contains(&rate)) {
        return Err(Problem::invalid("rate", "must be 0.1 to 1000 jobs a second; leave it out for as fast as it goes"));
    }
    if note.as_deref().is_some_and(|note| !is_reason(note)) {
        return Err(Problem::invalid("note", format!("must have 1 to {LONGEST_REASON} characters")));
    }
    if dry_run {
        return preview(&operator, &filter).await;
    }
    let attempt = match idempotency.claim_as(operator.operator.name(), &operator.context).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let (actor, origin) = (operator.actor(), operator.origin());
    let new = NewBatch { filter: &filter, rate, note: note.as_deref(), actor: &actor, origin: &origin };
    let mut tx = operator.app.begin().await?;
    let batch = dead_letters::replay_many(&mut tx, &new).await.map_err(not_created)?;
    let place = format!("/api/v2/admin/dead-jobs/replays/{}", batch.id);
    attempt.commit(tx, Accepted::new(&Begun::Batch(Box::new(batch.into())))?.location(&place)).await
}

async fn preview(operator: &Operator, filter: &Filter) -> Result<Accepted<Begun>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let found = dead::preview(&mut conn, filter).await?;
    if found.count == 0 {
        return Err(not_created(CreateError::NothingMatches.into()));
    }
    let newest = found.newest.into_iter().map(DeadJob::from).collect();
    let preview = Preview { count: found.count, or_more: found.or_more, newest };
    Ok(Accepted::new(&Begun::Preview(preview))?.with_status(StatusCode::OK))
}

fn not_created(error: BatchError) -> Problem {
    match error {
        BatchError::Create(error @ (CreateError::NothingMatches | CreateError::TooMany)) => {
            Problem::invalid("filter", error.to_string())
        }
        BatchError::Create(CreateError::Enqueue(error)) => error.into(),
        BatchError::Create(CreateError::Database(error)) => error.into(),
        BatchError::Audit(error) => error.into(),
    }
}
