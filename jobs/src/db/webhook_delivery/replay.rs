//! Sending deliveries again: the rows' part of it. What is done with their jobs is in [`crate::webhooks::replay`].

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::{DeliveryId, JobId, OrgId, WebhookEndpointId};

/// A delivery, by what a replay has to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: WebhookEndpointId,
    /// The job that carries it out, or did last.
    pub job_id: JobId,
}

/// How a delivery of an organisation stands.
///
/// # Errors
/// The database's.
pub async fn standing(conn: &mut PgConnection, org_id: OrgId, id: DeliveryId) -> sqlx::Result<Option<Standing>> {
    sqlx::query_as!(
        Standing,
        r#"SELECT id AS "id: _", endpoint_id AS "endpoint_id: _", job_id AS "job_id: _"
             FROM webhook_delivery WHERE org_id = $1 AND id = $2"#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Makes deliveries as new, each with the job that will carry it out: no attempt is made yet, and the next one is due. Those whose
/// job is another one by now than `was` says are left out; the answer says which were renewed.
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut PgConnection, org_id: OrgId, renewals: &[Renewal]) -> sqlx::Result<Vec<DeliveryId>> {
    let ids: Vec<Uuid> = renewals.iter().map(|renewal| renewal.id.uuid()).collect();
    let was: Vec<Uuid> = renewals.iter().map(|renewal| renewal.was.uuid()).collect();
    let jobs: Vec<Uuid> = renewals.iter().map(|renewal| renewal.job_id.uuid()).collect();
    sqlx::query_scalar!(
        r#"WITH found AS MATERIALIZED (
             SELECT d.id, n.job_id FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS n(id, was, job_id)
               JOIN webhook_delivery d ON d.id = n.id AND d.job_id = n.was AND d.org_id = $1
              ORDER BY d.id FOR UPDATE OF d)
           UPDATE webhook_delivery d
              SET state = 'pending', trigger = 'replay', attempts = 0, job_id = f.job_id, next_attempt_at = now(),
                  cancelled_because = NULL, delivered_at = NULL
             FROM found f WHERE d.id = f.id
           RETURNING d.id AS "id: DeliveryId""#,
        org_id.uuid(),
        &ids,
        &was,
        &jobs,
    )
    .fetch_all(conn)
    .await
}

/// A delivery that gets a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The delivery.
    pub id: DeliveryId,
    /// Its job until now.
    pub was: JobId,
    /// The job that will carry it out.
    pub job_id: JobId,
}
