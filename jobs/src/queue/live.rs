//! Jobs that wait or run, as people look at them; newest first.
//!
//! No index serves every filter, and none is added: each would be one more thing for an enqueue to write. So two ways are
//! taken, both of a bounded cost:
//! - One tenant's jobs ([`list_of`]) are found by the index that claims use, lane by lane (queue and priority); what is
//!   visited is what that tenant has, whatever the others have.
//! - All tenants' ([`list_all`]) are walked by id, at most [`WINDOW`] rows a call. A part may therefore have fewer rows than
//!   asked for, or none, and still say where to go on.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::queues;
use crate::ids::JobId;
use crate::kinds;

/// Rows that one call of [`list_all`] visits at most.
pub const WINDOW: i64 = 10_000;

/// Where a job that lives stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It might run now.
    Ready,
    /// It waits for its time.
    Scheduled,
    /// A worker holds it.
    Running,
}

impl State {
    /// Every state's word.
    pub const WORDS: &'static [&'static str] = &["ready", "scheduled", "running"];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = [Self::Ready, Self::Scheduled, Self::Running].into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| format!("is not a state: expected {}", Self::WORDS.join(", ")))
    }
}

/// A job that waits or runs, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveJob {
    /// Its id.
    pub id: JobId,
    /// Whose it is; `None` for the platform's own.
    pub org_id: Option<Uuid>,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it stands.
    pub state: State,
    /// Lower runs first.
    pub priority: i16,
    /// Attempts spent, the running one included.
    pub attempt: i16,
    /// The attempt after which it is dead.
    pub max_attempts: i16,
    /// When it was enqueued, which its id tells.
    pub enqueued_at: Option<DateTime<Utc>>,
    /// Not run before.
    pub run_at: DateTime<Utc>,
    /// When a worker took it.
    pub started_at: Option<DateTime<Utc>>,
    /// That worker.
    pub worker_id: Option<Uuid>,
    /// When somebody asked for it to be cancelled while it runs.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The API request that caused it.
    pub request_id: Option<String>,
    /// The dead job that it replays.
    pub replay_of: Option<Uuid>,
}

/// What a list is narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Only this queue.
    pub queue: Option<&'a str>,
    /// Only this kind.
    pub kind: Option<&'a str>,
    /// Only jobs that stand so.
    pub state: Option<State>,
}

/// Why a filter is refused.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Nothing could be found by it.
    #[error("{field}: {message}")]
    Invalid {
        /// Which of its fields is wrong.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Filter<'_> {
    /// The filter, if it names a queue and a kind that there are; completed by the kind's queue.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn checked(self, conn: &mut PgConnection) -> Result<Self, FilterError> {
        let invalid = |field, message| Err(FilterError::Invalid { field, message });
        if let Some(queue) = self.queue {
            let names = queues::names(conn).await?;
            if !names.contains(queue) {
                let known = names.into_iter().collect::<Vec<_>>().join(", ");
                return invalid("queue", format!("there is no such queue: there are {known}"));
            }
        }
        match (self.kind.map(kinds::known), self.queue) {
            (Some(Some(known)), Some(queue)) if known.queue != queue => {
                let message =
                    format!("such jobs wait in the queue {}: leave queue out, or ask for that one", known.queue);
                invalid("kind", message)
            }
            (Some(Some(known)), _) => Ok(Self { queue: Some(known.queue), ..self }),
            (Some(None), None) => {
                let known = kinds::KNOWN.iter().map(|known| known.kind).collect::<Vec<_>>().join(", ");
                let message = format!("this version knows {known}: add queue to look for another version's");
                invalid("kind", message)
            }
            _ => Ok(self),
        }
    }

    const fn is_empty(&self) -> bool {
        self.queue.is_none() && self.kind.is_none() && self.state.is_none()
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// Only jobs enqueued before this one.
    pub before: Option<JobId>,
    /// Rows at most.
    pub limit: i64,
}

impl Slice {
    fn before(self) -> Uuid {
        self.before.map_or(Uuid::max(), JobId::uuid)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its rows.
    pub jobs: Vec<LiveJob>,
    /// The `before` of the next part; `None` behind the last.
    pub next: Option<JobId>,
}

impl Part {
    fn cut(mut jobs: Vec<LiveJob>, limit: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = jobs.len() > limit;
        jobs.truncate(limit);
        let next = jobs.last().filter(|_| more).map(|job| job.id);
        Self { jobs, next }
    }
}

/// A row as it is read.
struct Row {
    id: Uuid,
    tenant: Uuid,
    kind: String,
    queue: String,
    priority: i16,
    attempt: i16,
    max_attempts: i16,
    run_at: DateTime<Utc>,
    is_due: bool,
    claimed_at: Option<DateTime<Utc>>,
    claimed_by: Option<Uuid>,
    cancel_at: Option<DateTime<Utc>>,
    request_id: Option<String>,
    replay_of: Option<Uuid>,
}

impl From<Row> for LiveJob {
    fn from(row: Row) -> Self {
        let state = match (row.claimed_by, row.is_due) {
            (Some(_), _) => State::Running,
            (None, true) => State::Ready,
            (None, false) => State::Scheduled,
        };
        let enqueued = row.id.get_timestamp().and_then(|at| {
            let (seconds, nanos) = at.to_unix();
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
        });
        Self {
            id: JobId::from(row.id),
            org_id: Some(row.tenant).filter(|tenant| !tenant.is_nil()),
            kind: row.kind,
            queue: row.queue,
            state,
            priority: row.priority,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            enqueued_at: enqueued,
            run_at: row.run_at,
            started_at: row.claimed_at,
            worker_id: row.claimed_by,
            cancel_requested_at: row.cancel_at,
            request_id: row.request_id,
            replay_of: row.replay_of,
        }
    }
}

/// All tenants' jobs; visits at most [`WINDOW`] rows, in the order of their ids.
///
/// # Errors
/// When the database refuses.
pub async fn list_all(conn: &mut PgConnection, filter: Filter<'_>, slice: Slice) -> sqlx::Result<Part> {
    let window = if filter.is_empty() { slice.limit + 1 } else { WINDOW };
    // The last row of the window; without one, the rest of the table is smaller.
    let edge = sqlx::query_scalar!(
        "SELECT id FROM job WHERE id < $1 ORDER BY id DESC OFFSET $2 LIMIT 1",
        slice.before(),
        window - 1,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // Materialised, so that no other index looks tempting.
    let rows = sqlx::query_as!(
        Row,
        r#"WITH walked AS MATERIALIZED (
             SELECT id, tenant, kind, queue, priority, attempt, max_attempts, run_at, run_at <= now() AS is_due, claimed_at,
                    claimed_by, cancel_at, request_id, replay_of
               FROM job WHERE id < $1 AND id >= $2)
           SELECT id, tenant, kind, queue, priority, attempt, max_attempts, run_at, is_due AS "is_due!", claimed_at,
                  claimed_by, cancel_at, request_id, replay_of
             FROM walked
            WHERE ($3::text IS NULL OR queue = $3) AND ($4::text IS NULL OR kind = $4)
              AND ($5::text IS NULL OR $5 = CASE WHEN claimed_by IS NOT NULL THEN 'running'
                                                 WHEN is_due THEN 'ready' ELSE 'scheduled' END)
            ORDER BY id DESC LIMIT $6"#,
        slice.before(),
        edge.unwrap_or_default(),
        filter.queue,
        filter.kind,
        filter.state.map(State::as_str),
        slice.limit + 1,
    )
    .fetch_all(conn)
    .await?;
    let mut part = Part::cut(rows.into_iter().map(LiveJob::from).collect(), slice.limit);
    part.next = part.next.or(edge.map(JobId::from));
    Ok(part)
}

/// One tenant's jobs (the nil UUID's are the platform's own); visits what that tenant has.
///
/// # Errors
/// When the database refuses.
pub async fn list_of(conn: &mut PgConnection, tenant: Uuid, filter: Filter<'_>, slice: Slice) -> sqlx::Result<Part> {
    // The lanes are found by one probe of the index each, and so are the tenant's jobs in each of them.
    let rows = sqlx::query_as!(
        Row,
        r#"WITH RECURSIVE lane(queue, priority) AS (
             (SELECT queue, priority FROM job WHERE queue >= coalesce($2, '') ORDER BY queue, priority LIMIT 1)
             UNION ALL
             SELECT next.queue, next.priority
               FROM lane, LATERAL (SELECT j.queue, j.priority FROM job j
                                    WHERE (j.queue, j.priority) > (lane.queue, lane.priority)
                                    ORDER BY j.queue, j.priority LIMIT 1) AS next
              WHERE $2 IS NULL OR lane.queue = $2)
           SELECT j.id, j.tenant, j.kind, j.queue, j.priority, j.attempt, j.max_attempts, j.run_at, j.is_due AS "is_due!",
                  j.claimed_at, j.claimed_by, j.cancel_at, j.request_id, j.replay_of
             FROM lane, LATERAL (
                  SELECT o.id, o.tenant, o.kind, o.queue, o.priority, o.attempt, o.max_attempts, o.run_at,
                         o.run_at <= now() AS is_due, o.claimed_at, o.claimed_by, o.cancel_at, o.request_id, o.replay_of
                    FROM job o
                   WHERE o.queue = lane.queue AND o.priority = lane.priority AND o.tenant = $1 OFFSET 0) AS j
            WHERE ($2 IS NULL OR lane.queue = $2) AND j.id < $5 AND ($3::text IS NULL OR j.kind = $3)
              AND ($4::text IS NULL OR $4 = CASE WHEN j.claimed_by IS NOT NULL THEN 'running'
                                                 WHEN j.is_due THEN 'ready' ELSE 'scheduled' END)
            ORDER BY j.id DESC LIMIT $6"#,
        tenant,
        filter.queue,
        filter.kind,
        filter.state.map(State::as_str),
        slice.before(),
        slice.limit + 1,
    )
    .fetch_all(conn)
    .await?;
    Ok(Part::cut(rows.into_iter().map(LiveJob::from).collect(), slice.limit))
}

/// A job that waits or runs, with its payload.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<(LiveJob, String)>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, tenant, kind, queue, priority, attempt, max_attempts, run_at, run_at <= now() AS "is_due!", claimed_at,
                  claimed_by, cancel_at, request_id, replay_of
             FROM job WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let payload = sqlx::query_scalar!("SELECT payload FROM job WHERE id = $1", id.uuid()).fetch_optional(conn).await?;
    // It may have ended between the two.
    Ok(row.zip(payload).map(|(row, payload)| (row.into(), payload)))
}
