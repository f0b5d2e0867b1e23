//! `GET /orgs/{id}/jobs/{job_id}`, and the shape that operators see, too.

use chrono::{DateTime, Utc};
use jobs::ids::JobId;
use jobs::payloads::{Audience, shown};
use jobs::queue::sight::{Failed, Sight, look};
use jobs::queue::{Standing, Waited};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Job;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// All there is to know of a job.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "JobDetail"))]
pub(in crate::routes) struct Detail {
    /// Its id.
    id: Uuid,
    /// ready, scheduled, running; dead; or how it ended: done, failed, cancelled.
    state: &'static str,
    /// The job; null once it has ended.
    job: Option<Job>,
    /// Its payload without secrets; null where this version does not know the kind. Once it has ended it is gone; a dead
    /// letter shows it.
    payload: Option<Value>,
    /// The attempts that failed, oldest first.
    attempts: Vec<Attempt>,
    /// When it ended or died; null while it lives.
    ended_at: Option<DateTime<Utc>>,
    /// Stable name of what it failed or died of.
    error_class: Option<String>,
    /// The same for a person.
    error: Option<String>,
}

/// A failed attempt.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "JobAttempt"))]
struct Attempt {
    /// Which.
    attempt: i16,
    /// When it failed.
    failed_at: DateTime<Utc>,
    /// The worker that ran it.
    worker_id: Option<Uuid>,
    /// Stable name of the failure.
    error_class: String,
    /// For a person.
    error: String,
    /// Facts beside the message.
    details: Option<Value>,
}

impl From<Failed> for Attempt {
    fn from(failed: Failed) -> Self {
        Self {
            attempt: failed.attempt,
            failed_at: failed.failed_at,
            worker_id: Some(failed.worker_id),
            error_class: failed.error_class,
            error: failed.error,
            details: failed.details,
        }
    }
}

/// Who looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::routes) enum Seen {
    /// An operator.
    ByOperator,
    /// This organisation.
    ByOrg(Uuid),
}

impl Detail {
    /// What there is to see of a job.
    ///
    /// # Errors
    /// 404 where there is nothing, or it is another's.
    pub(in crate::routes) async fn find(conn: &mut PgConnection, id: JobId, seen: Seen) -> Result<Self, Problem> {
        let is_theirs = |owner: Uuid| match seen {
            Seen::ByOperator => true,
            Seen::ByOrg(org) => owner == org,
        };
        Ok(match look(conn, id).await? {
            Sight::Lives { job, payload, failures } if is_theirs(job.org_id.unwrap_or_default()) => {
                let audience = if seen == Seen::ByOperator { Audience::Operators } else { Audience::Organisation };
                Self {
                    payload: shown(&job.kind, &payload, audience).into_value(),
                    attempts: failures.into_iter().map(Attempt::from).collect(),
                    job: Some(job.clone().into()),
                    ..Self::bare(id, job.state.as_str())
                }
            }
            Sight::Dead(dead) if is_theirs(dead.tenant) => Self {
                ended_at: Some(dead.died_at),
                error_class: Some(dead.error_class),
                error: Some(dead.error),
                ..Self::bare(id, "dead")
            },
            // An outcome does not say whose it is.
            Sight::Ended(standing) if seen == Seen::ByOperator => Self::ended(id, standing),
            Sight::Unknown if seen == Seen::ByOperator => {
                return Err(Problem::not_found("job: it never was, or it has ended and its outcome is not kept"));
            }
            _ => return Err(Problem::not_found("job")),
        })
    }

    fn ended(id: JobId, standing: Standing) -> Self {
        let (state, failure) = match standing.outcome {
            Waited::Done(_) => ("done", None),
            Waited::Cancelled => ("cancelled", None),
            Waited::Failed { error_class, error, .. } => ("failed", Some((error_class, error))),
            // Enqueued this very moment.
            Waited::Pending => ("ready", None),
        };
        let (error_class, error) = failure.unzip();
        Self { ended_at: standing.finished_at, error_class, error, ..Self::bare(id, state) }
    }

    fn bare(id: JobId, state: &'static str) -> Self {
        Self {
            id: id.uuid(),
            state,
            job: None,
            payload: None,
            attempts: Vec::new(),
            ended_at: None,
            error_class: None,
            error: None,
        }
    }
}

/// One of the organisation's jobs
///
/// While it waits or runs, and when it is dead. One that ended otherwise is gone: what it worked on tells how it ended.
#[endpoint(operation_id = "get_org_job", tags("jobs"))]
pub(super) async fn get_org_job(tenant: Tenant<Viewer>, job_id: PathId<JobId>) -> Result<Json<Detail>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    Ok(Json(Detail::find(&mut conn, job_id.0, Seen::ByOrg(tenant.org.uuid())).await?))
}
