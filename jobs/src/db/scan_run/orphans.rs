//! Runs whose job is gone. A worker that is killed in its job's last attempt cannot say so on the run; this finds what it
//! left behind.

use sqlx::PgConnection;

use crate::ids::{JobId, OrgId, ScanId};

/// A run, or the drift of one, that no job works on any more.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// The organisation.
    pub org_id: OrgId,
    /// The run.
    pub id: ScanId,
    /// The job that is gone.
    pub job_id: JobId,
    /// How the job died, when it is among the dead; cancelled otherwise.
    pub error_class: Option<String>,
    /// Why.
    pub error: Option<String>,
}

/// Up to `most` pending or running scans whose job is neither waiting nor running: it died with its worker, or was cancelled. They are
/// locked until the transaction ends; those that somebody else has locked are left out.
///
/// # Errors
/// The database's.
pub async fn orphans(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Orphan>> {
    sqlx::query_as!(
        Orphan,
        r#"SELECT r.org_id AS "org_id: OrgId", r.id AS "id: ScanId", r.job_id AS "job_id!: JobId",
                  d.error_class AS "error_class?", d.error AS "error?"
             FROM scan_run r LEFT JOIN dead_job d ON d.id = r.job_id
            WHERE r.status IN ('pending', 'running') AND r.job_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM job j WHERE j.id = r.job_id)
            LIMIT $1 FOR UPDATE OF r SKIP LOCKED"#,
        most,
    )
    .fetch_all(conn)
    .await
}

/// The same of pending or running drift.
///
/// # Errors
/// The database's.
pub async fn drift_orphans(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Orphan>> {
    sqlx::query_as!(
        Orphan,
        r#"SELECT r.org_id AS "org_id: OrgId", r.id AS "id: ScanId", r.drift_job_id AS "job_id!: JobId",
                  d.error_class AS "error_class?", d.error AS "error?"
             FROM scan_run r LEFT JOIN dead_job d ON d.id = r.drift_job_id
            WHERE r.drift_status IN ('pending', 'running') AND r.drift_job_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM job j WHERE j.id = r.drift_job_id)
            LIMIT $1 FOR UPDATE OF r SKIP LOCKED"#,
        most,
    )
    .fetch_all(conn)
    .await
}
