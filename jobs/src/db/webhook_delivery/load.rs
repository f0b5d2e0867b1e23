//! What there is to send: many deliveries in one statement.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Trigger;
use crate::ids::{DeliveryId, EventId, JobId, OrgId, WebhookEndpointId};

/// A delivery with all that an attempt needs.
#[derive(Debug, Clone)]
pub struct Load {
    /// The delivery.
    pub id: DeliveryId,
    /// The organisation.
    pub org_id: OrgId,
    /// Why its first attempt is made.
    pub trigger: Trigger,
    /// Whether it has been taken already.
    pub is_delivered: bool,
    /// Attempts that are written down of this job.
    pub attempts: i16,
    /// The job that it knows of.
    pub job_id: JobId,
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Its data.
    pub data: Value,
    /// To whom.
    pub endpoint: Endpoint,
}

/// An endpoint as it is now.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Where to.
    pub url: String,
    /// Headers to add, sealed.
    pub headers: Option<Vec<u8>>,
    /// What signs, sealed.
    pub secret: Vec<u8>,
    /// What signs, too, sealed.
    pub previous_secret: Option<Vec<u8>>,
    /// Its owner holds its deliveries back.
    pub is_paused: bool,
    /// Nothing is sent to it.
    pub is_disabled: bool,
    /// It is deleted.
    pub is_deleted: bool,
}

/// Reads deliveries of their organisations; the answers stand in the same order, `None` where there is no such delivery.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut PgConnection, wanted: &[(OrgId, DeliveryId)]) -> sqlx::Result<Vec<Option<Load>>> {
    let (orgs, ids): (Vec<Uuid>, Vec<Uuid>) = wanted.iter().map(|(org, id)| (org.uuid(), id.uuid())).unzip();
    let rows = sqlx::query!(
        r#"SELECT w.nr AS "nr!", d.id AS "id: DeliveryId", d.org_id AS "org_id: OrgId", d.trigger AS "trigger: Trigger",
                  d.state = 'delivered' AS "is_delivered!", d.attempts, d.job_id AS "job_id: JobId",
                  e.id AS "event_id: EventId", e.event_type, e.occurred_at, e.data,
                  ep.id AS "endpoint_id: WebhookEndpointId", ep.url, ep.headers, ep.secret,
                  CASE WHEN ep.previous_secret_expires_at > now() THEN ep.previous_secret END AS previous_secret,
                  ep.paused_at IS NOT NULL AS "is_paused!", ep.disabled_at IS NOT NULL AS "is_disabled!",
                  ep.deleted_at IS NOT NULL AS "is_deleted!"
             FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w(org_id, id, nr)
             JOIN webhook_delivery d ON d.id = w.id AND d.org_id = w.org_id
             JOIN event e ON e.id = d.event_id
             JOIN webhook_endpoint ep ON ep.id = d.endpoint_id"#,
        &orgs,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let mut loads = vec![None; wanted.len()];
    for row in rows {
        let place = usize::try_from(row.nr - 1).ok().and_then(|place| loads.get_mut(place));
        let Some(place) = place else { continue };
        *place = Some(Load {
            id: row.id,
            org_id: row.org_id,
            trigger: row.trigger,
            is_delivered: row.is_delivered,
            attempts: row.attempts,
            job_id: row.job_id,
            event_id: row.event_id,
            event_type: row.event_type,
            occurred_at: row.occurred_at,
            data: row.data,
            endpoint: Endpoint {
                id: row.endpoint_id,
                url: row.url,
                headers: row.headers,
                secret: row.secret,
                previous_secret: row.previous_secret,
                is_paused: row.is_paused,
                is_disabled: row.is_disabled,
                is_deleted: row.is_deleted,
            },
        });
    }
    Ok(loads)
}
