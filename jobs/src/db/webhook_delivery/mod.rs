//! Deliveries: an event for an endpoint, and every attempt at it.
//!
//! A row says what is planned and what came of it; whether a worker is at it just now is what the job says, so a worker that
//! dies leaves nothing to tidy up. Attempts are numbered over all replays and never changed.

mod expire;
mod list;
mod load;
mod reconcile;
mod record;
mod replay;

pub use expire::{expire, expire_attempts};
pub use list::{COUNTED, Filter, Narrowed, Of, list};
pub use load::{Endpoint, Load, load};
pub use reconcile::reconcile;
pub use record::{Attempt, DISABLED_AFTER_DAYS, DISABLED_FROM, Faring, Record, THROTTLED_FROM, Then, cancel, record};
pub use replay::{Renewal, Standing, renew, standing};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::domain::{DeliveryStatus, Trigger};
use crate::ids::{DeliveryId, EventId, JobId, OrgId, WebhookEndpointId};

/// A delivery as its owner sees it, with the last attempt.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: WebhookEndpointId,
    /// What.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// How it stands.
    pub status: DeliveryStatus,
    /// Attempts since its creation or its last replay.
    pub attempts: i16,
    /// When the next attempt is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Status of the last attempt's answer.
    pub last_response_status: Option<i16>,
    /// The beginning of its body.
    pub last_response_excerpt: Option<String>,
    /// Class of the last attempt's failure.
    pub last_error_class: Option<String>,
    /// The last attempt's failure, or why it was cancelled.
    pub last_error: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When the receiver took it.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// Whole [`Delivery`]s of the rows `d` of a subquery, which stands between the two; built at run time, because lists put the
/// subquery together from what they are narrowed by.
const SELECT: &str = "SELECT d.id, d.endpoint_id, d.event_id, d.event_type,
        CASE WHEN j.claimed_by IS NOT NULL THEN 'in_flight'
             WHEN d.state NOT IN ('pending', 'failed') THEN d.state
             WHEN j.id IS NULL OR ep.deleted_at IS NOT NULL THEN 'failed'
             ELSE d.state END AS status,
        d.attempts, CASE WHEN j.id IS NOT NULL AND ep.deleted_at IS NULL THEN d.next_attempt_at END AS next_attempt_at,
        a.response_status AS last_response_status, a.response_excerpt AS last_response_excerpt,
        a.error_class AS last_error_class,
        coalesce(d.cancelled_because,
                 CASE WHEN ep.deleted_at IS NOT NULL AND d.state IN ('pending', 'failed')
                      THEN 'cancelled: the endpoint was deleted'
                      WHEN j.id IS NULL AND d.state IN ('pending', 'failed')
                      THEN 'cancelled: its job was cancelled' END,
                 a.error) AS last_error,
        d.created_at, d.delivered_at
   FROM (";
/// See [`SELECT`].
const FROM: &str = ") d
   JOIN webhook_endpoint ep ON ep.id = d.endpoint_id
   LEFT JOIN job j ON j.id = d.job_id
   LEFT JOIN webhook_attempt a ON a.delivery_id = d.id AND a.number = d.logged";

/// A delivery of an organisation.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: DeliveryId) -> sqlx::Result<Option<Delivery>> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push("SELECT * FROM webhook_delivery WHERE org_id = ").push_bind(org_id.uuid());
    query.push(" AND id = ").push_bind(id.uuid()).push(FROM);
    query.build_query_as().fetch_optional(conn).await
}

/// An attempt at a delivery, as it went.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedAttempt {
    /// From 1, over all replays.
    pub number: i32,
    /// Why it was made.
    pub trigger: Trigger,
    /// When it began; `None` of one whose worker was lost.
    pub started_at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// Status of the answer.
    pub response_status: Option<i16>,
    /// Class of the failure; `None` of a success.
    pub error_class: Option<String>,
    /// The failure for a person.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response_excerpt: Option<String>,
}

/// The newest attempts at a delivery, newest first, at most `most`.
///
/// # Errors
/// The database's.
pub async fn attempts(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: DeliveryId,
    most: i64,
) -> sqlx::Result<Vec<LoggedAttempt>> {
    sqlx::query_as!(
        LoggedAttempt,
        r#"SELECT number, trigger AS "trigger: Trigger", started_at, duration_ms, response_status, error_class, error,
                  response_excerpt
             FROM webhook_attempt WHERE delivery_id = $2 AND org_id = $1 ORDER BY number DESC LIMIT $3"#,
        org_id.uuid(),
        id.uuid(),
        most,
    )
    .fetch_all(conn)
    .await
}

/// A delivery to be, whose job is enqueued in the same transaction.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: WebhookEndpointId,
    /// Its job.
    pub job_id: JobId,
}

/// Stores deliveries of one event.
///
/// # Errors
/// The database's; one of the same event for the same endpoint is there already.
pub async fn insert(
    conn: &mut PgConnection,
    (org_id, event_id, event_type): (OrgId, EventId, &str),
    trigger: Trigger,
    new: &[NewDelivery],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = new.iter().map(|delivery| delivery.id.uuid()).collect();
    let endpoints: Vec<Uuid> = new.iter().map(|delivery| delivery.endpoint_id.uuid()).collect();
    let jobs: Vec<Uuid> = new.iter().map(|delivery| delivery.job_id.uuid()).collect();
    sqlx::query!(
        "INSERT INTO webhook_delivery (id, org_id, endpoint_id, event_id, event_type, trigger, job_id)
         SELECT n.id, $1, n.endpoint_id, $2, $3, $4, n.job_id
           FROM unnest($5::uuid[], $6::uuid[], $7::uuid[]) AS n(id, endpoint_id, job_id)",
        org_id.uuid(),
        event_id.uuid(),
        event_type,
        trigger.as_str(),
        &ids,
        &endpoints,
        &jobs,
    )
    .execute(conn)
    .await?;
    Ok(())
}
