//! The drift of a done run: `pending → running → done | error`, fenced by the job that computes it.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Ci, Progress, ScanError, ScanRun};
use crate::domain::{Provider, RunStatus, ScanType};
use crate::ids::{CloudAccountId, JobId, OrgId, ScanId, ScheduleId};

/// The newest run of an account that began after `id` ended and has touched its live resources, so that `id` can no longer
/// be compared with state.
///
/// # Errors
/// The database's.
pub async fn superseded_by(conn: &mut PgConnection, run: &ScanRun) -> sqlx::Result<Option<ScanId>> {
    sqlx::query_scalar!(
        r#"SELECT newer.id AS "id: ScanId" FROM scan_run newer
            WHERE newer.org_id = $1 AND newer.cloud_account_id = $2 AND newer.started_at > $3 AND newer.id <> $4
              AND (newer.status IN ('running', 'done')
                   OR EXISTS (SELECT FROM live_resource l WHERE l.cloud_account_id = $2 AND l.last_scan_id = newer.id))
            ORDER BY newer.started_at DESC LIMIT 1"#,
        run.org_id.uuid(),
        run.cloud_account_id.uuid(),
        run.finished_at,
        run.id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Notes that drift was asked for and which job computes it; false when the scan is not done.
///
/// # Errors
/// The database's.
pub async fn set_drift_pending(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    job_id: JobId,
) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "UPDATE scan_run SET drift_status = 'pending', drift_job_id = $3, drift_error = NULL
          WHERE org_id = $1 AND id = $2 AND status = 'done'",
        org_id.uuid(),
        id.uuid(),
        job_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Moves the drift of a done scan to running; `None` when the scan is not done.
///
/// # Errors
/// The database's.
pub async fn start_drift(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    job_id: JobId,
) -> sqlx::Result<Option<ScanRun>> {
    scan_runs!(
        "UPDATE scan_run SET drift_status = 'running', drift_job_id = $3, drift_error = NULL
          WHERE org_id = $1 AND id = $2 AND status = 'done'
         RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        job_id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// How many resources differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftCounts {
    /// Live and not declared.
    pub extra: i32,
    /// Declared and live, but different.
    pub changed: i32,
    /// Declared, not live.
    pub missing: i32,
}

/// Ends running drift as done; false when this job no longer computes it.
///
/// # Errors
/// The database's.
pub async fn finish_drift(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    job_id: JobId,
    counts: DriftCounts,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE scan_run SET drift_status = 'done', drift_error = NULL, new_count = $4, changed_count = $5, missing_count = $6
          WHERE org_id = $1 AND id = $2 AND drift_status = 'running' AND drift_job_id = $3",
        org_id.uuid(),
        id.uuid(),
        job_id.uuid(),
        counts.extra,
        counts.changed,
        counts.missing,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the drift that a job computes in error, or as done with what was computed before, which then stays; false when it
/// had ended before.
///
/// # Errors
/// The database's.
pub async fn fail_drift(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: ScanId,
    job_id: JobId,
    error: &str,
) -> sqlx::Result<bool> {
    let failed = sqlx::query!(
        "UPDATE scan_run SET drift_error = $4, drift_status =
                CASE WHEN EXISTS (SELECT FROM drift_snapshot d WHERE d.scan_run_id = $2) THEN 'done' ELSE 'error' END
          WHERE org_id = $1 AND id = $2 AND drift_job_id = $3 AND drift_status IN ('pending', 'running')",
        org_id.uuid(),
        id.uuid(),
        job_id.uuid(),
        error,
    )
    .execute(conn)
    .await?;
    Ok(failed.rows_affected() == 1)
}
