//! How a run moves from state to state.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Ci, Progress, ScanError, ScanRun, Summary, get};
use crate::domain::{Provider, RunStatus, ScanType};
use crate::ids::{CloudAccountId, JobId, OrgId, ScanId, ScheduleId};

/// What came of [`start`].
#[derive(Debug)]
pub enum Start {
    /// It runs; `started_at` is the first attempt's.
    Running(Box<ScanRun>),
    /// Another scan of the account runs, or its drift is being computed: come back later.
    Busy,
    /// It is done already.
    Done,
    /// There is no such run.
    Absent,
}

/// Moves a run to running. A retried attempt finds it running and resumes; a replayed dead job finds it in error and starts
/// it anew. `job_id` is the job that does so.
///
/// # Errors
/// The database's.
pub async fn start(conn: &mut PgConnection, org_id: OrgId, id: ScanId, job_id: JobId) -> sqlx::Result<Start> {
    let started = scan_runs!(
        "UPDATE scan_run SET job_id = $3,
            started_at = CASE WHEN status = 'running' THEN started_at ELSE now() END,
            status = 'running', finished_at = NULL, error = NULL, error_class = NULL, scan_errors = '[]'
          WHERE org_id = $1 AND id = $2 AND status <> 'done'
            AND NOT EXISTS (
                SELECT FROM scan_run other
                 WHERE other.cloud_account_id = scan_run.cloud_account_id AND other.id <> scan_run.id
                   AND (other.status = 'running' OR other.drift_status IN ('pending', 'running')))
         RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        job_id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await;
    match started {
        Ok(Some(run)) => Ok(Start::Running(Box::new(run))),
        Ok(None) => Ok(match get(conn, org_id, id).await? {
            None => Start::Absent,
            Some(run) if run.status == RunStatus::Done => Start::Done,
            Some(_) => Start::Busy,
        }),
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("scan_run_running_key") => Ok(Start::Busy),
        Err(error) => Err(error),
    }
}

/// Writes how far a running scan is; false when it does not run (any more).
///
/// # Errors
/// The database's.
pub async fn set_progress(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    progress: &Progress,
) -> sqlx::Result<bool> {
    let written = sqlx::query!(
        "UPDATE scan_run SET progress = $3 WHERE org_id = $1 AND id = $2 AND status = 'running'",
        org_id.uuid(),
        id.uuid(),
        Json(progress) as Json<&Progress>,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// What a scan found, in numbers.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The run.
    pub id: ScanId,
    /// Live resources found.
    pub resource_count: i32,
    /// What could not be read.
    pub scan_errors: &'a [ScanError],
    /// The rest.
    pub summary: &'a Summary,
}

/// Ends a running scan as done; `None` when it does not run (any more).
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut PgConnection, finished: &Finished<'_>) -> sqlx::Result<Option<ScanRun>> {
    scan_runs!(
        "UPDATE scan_run SET status = 'done', finished_at = now(), progress = NULL, resource_count = $3,
                scan_errors = $4, result = $5
          WHERE org_id = $1 AND id = $2 AND status = 'running'
         RETURNING",
        "",
        finished.org_id.uuid(),
        finished.id.uuid(),
        finished.resource_count,
        Json(finished.scan_errors) as Json<&[ScanError]>,
        Json(finished.summary) as Json<&Summary>,
    )
    .fetch_optional(conn)
    .await
}

/// Why a scan, or its drift, came to nothing.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// Stable name of the failure.
    pub error_class: &'a str,
    /// For a person.
    pub error: &'a str,
}

/// Ends a pending or running scan in error; `None` when it had ended before.
///
/// # Errors
/// The database's.
pub async fn fail(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    failure: Failure<'_>,
    scan_errors: &[ScanError],
) -> sqlx::Result<Option<ScanRun>> {
    scan_runs!(
        "UPDATE scan_run SET status = 'error', finished_at = now(), progress = NULL, error_class = $3, error = $4,
                scan_errors = $5
          WHERE org_id = $1 AND id = $2 AND status IN ('pending', 'running')
         RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        failure.error_class,
        failure.error,
        Json(scan_errors) as Json<&[ScanError]>,
    )
    .fetch_optional(conn)
    .await
}
