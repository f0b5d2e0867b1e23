//! Replays of many of an endpoint's events, and how far each is. What they do is in [`crate::webhooks::replay`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::batches::Batch;
use crate::audit::{Actor, Origin};
use crate::domain::{BatchState, ReplayWhich};
use crate::ids::{DeliveryId, EventId, JobId, OrgId, WebhookEndpointId, WebhookReplayId};

/// A replay.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookReplay {
    /// Its id.
    pub id: WebhookReplayId,
    /// The organisation.
    pub org_id: OrgId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// Events from this time on …
    pub since: DateTime<Utc>,
    /// … and before this one.
    pub until: DateTime<Utc>,
    /// Which of them.
    pub which: ReplayWhich,
    /// Where it stands.
    pub state: BatchState,
    /// The time of the last event that was looked at.
    pub reached_at: DateTime<Utc>,
    /// Deliveries that are sent again through it.
    pub replayed: i64,
    /// Deliveries that were being sent just then, and were left alone.
    pub in_flight: i64,
    /// Who asked for it.
    pub created_by: Json<Actor>,
    /// From where.
    pub origin: Json<Origin>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was through, or cancelled.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Expands to a checked query of whole [`WebhookReplay`]s between two pieces of SQL.
macro_rules! replays {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            WebhookReplay,
            $before
                + r#" id AS "id: _", org_id AS "org_id: _", endpoint_id AS "endpoint_id: _", since, until,
                which AS "which: _", state AS "state: _", reached_at, replayed, in_flight, created_by AS "created_by: _",
                origin AS "origin: _", created_at, finished_at "#
                + $after
            $(, $arg)*
        )
    };
}

/// A replay to be.
#[derive(Debug, Clone, Copy)]
pub struct NewReplay<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// Events from this time on …
    pub since: DateTime<Utc>,
    /// … and before this one; nothing, or a time to come: until now.
    pub until: Option<DateTime<Utc>>,
    /// Which of them.
    pub which: ReplayWhich,
    /// Who asks for it.
    pub actor: &'a Actor,
    /// From where.
    pub origin: &'a Origin,
}

/// Stores a replay; `None` while another one of the endpoint is not through.
///
/// # Errors
/// The database's; it refuses a `since` that is not before the end.
pub async fn insert(conn: &mut PgConnection, new: &NewReplay<'_>) -> sqlx::Result<Option<WebhookReplay>> {
    replays!(
        "INSERT INTO webhook_replay (id, org_id, endpoint_id, since, until, which, reached_at, reached_id, created_by, origin)
         VALUES ($1, $2, $3, $4, least($5, now()), $6, $4, '00000000-0000-0000-0000-000000000000', $7, $8)
         ON CONFLICT (endpoint_id) WHERE finished_at IS NULL DO NOTHING
         RETURNING",
        "",
        WebhookReplayId::new().uuid(),
        new.org_id.uuid(),
        new.endpoint_id.uuid(),
        new.since,
        new.until,
        new.which.as_str(),
        Json(new.actor) as _,
        Json(new.origin) as _,
    )
    .fetch_optional(conn)
    .await
}

/// A replay of an organisation's endpoint.
///
/// # Errors
/// The database's.
pub async fn get(
    conn: &mut PgConnection,
    (org_id, endpoint_id): (OrgId, WebhookEndpointId),
    id: WebhookReplayId,
) -> sqlx::Result<Option<WebhookReplay>> {
    replays!(
        "SELECT",
        "FROM webhook_replay WHERE org_id = $1 AND endpoint_id = $2 AND id = $3",
        org_id.uuid(),
        endpoint_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// A replay that is not through, locked until the transaction ends, and the id of the event that it has reached.
///
/// # Errors
/// The database's.
pub async fn lock(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: WebhookReplayId,
) -> sqlx::Result<Option<(WebhookReplay, EventId)>> {
    let reached = sqlx::query_scalar!(
        r#"SELECT reached_id AS "reached_id: EventId" FROM webhook_replay
            WHERE org_id = $1 AND id = $2 AND finished_at IS NULL FOR UPDATE"#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(reached) = reached else { return Ok(None) };
    let replay = replays!("SELECT", "FROM webhook_replay WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_one(conn)
        .await?;
    Ok(Some((replay, reached)))
}

/// An event that a replay looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Its delivery to the endpoint; `None` where it was never sent to it.
    pub delivery: Option<(DeliveryId, JobId)>,
    /// Whether that failed or was given up.
    pub has_failed: bool,
}

/// The next events of these types in a replay's time, after the one that it has reached, oldest first.
///
/// # Errors
/// The database's.
pub async fn next(
    conn: &mut PgConnection,
    (replay, reached): (&WebhookReplay, EventId),
    types: &[String],
    most: i64,
) -> sqlx::Result<Vec<Candidate>> {
    let rows = sqlx::query!(
        r#"SELECT e.id AS "event_id: EventId", e.event_type, e.occurred_at, d.id AS "delivery_id?", d.job_id AS "job_id?",
                  coalesce(d.state IN ('failed', 'dlq'), false) AS "has_failed!"
             FROM event e
             JOIN webhook_endpoint ep ON ep.id = $3
             LEFT JOIN webhook_delivery d ON d.endpoint_id = $3 AND d.event_id = e.id
            WHERE e.org_id = $1 AND (e.occurred_at, e.id) > ($4, $5) AND e.occurred_at < $6 AND e.event_type = ANY ($2)
              AND (e.cloud_account_id IS NULL OR ep.cloud_account_ids = '{}' OR e.cloud_account_id = ANY (ep.cloud_account_ids))
            ORDER BY e.occurred_at, e.id LIMIT $7"#,
        replay.org_id.uuid(),
        types,
        replay.endpoint_id.uuid(),
        replay.reached_at,
        reached.uuid(),
        replay.until,
        most,
    )
    .fetch_all(conn)
    .await?;
    let candidates = rows.into_iter().map(|row| Candidate {
        event_id: row.event_id,
        event_type: row.event_type,
        occurred_at: row.occurred_at,
        delivery: row.delivery_id.zip(row.job_id).map(|(id, job): (Uuid, Uuid)| (DeliveryId(id), JobId(job))),
        has_failed: row.has_failed,
    });
    Ok(candidates.collect())
}

/// How far a slice brought a replay.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The last event that was looked at; `None`: there was none, and the replay is through.
    pub reached: Option<(DateTime<Utc>, EventId)>,
    /// Deliveries that are sent again.
    pub replayed: usize,
    /// Those that were left alone.
    pub in_flight: usize,
}

/// Writes progress down; answers with the replay as it stands then.
///
/// # Errors
/// The database's.
pub async fn advance(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: WebhookReplayId,
    progress: Progress,
) -> sqlx::Result<WebhookReplay> {
    replays!(
        "UPDATE webhook_replay
            SET state = CASE WHEN $3::timestamptz IS NULL THEN 'done' ELSE 'running' END,
                finished_at = CASE WHEN $3::timestamptz IS NULL THEN now() END,
                reached_at = coalesce($3, until), reached_id = coalesce($4, reached_id),
                replayed = replayed + $5, in_flight = in_flight + $6
          WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        progress.reached.map(|(time, _)| time),
        progress.reached.map(|(_, event)| event.uuid()),
        i64::try_from(progress.replayed).unwrap_or(i64::MAX),
        i64::try_from(progress.in_flight).unwrap_or(i64::MAX),
    )
    .fetch_one(conn)
    .await
}

/// Cancels what is not through of an endpoint's replays; what was sent again stays so.
///
/// # Errors
/// The database's.
pub async fn cancel_open(conn: &mut PgConnection, org_id: OrgId, endpoint_id: WebhookEndpointId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_replay SET state = 'cancelled', finished_at = now()
          WHERE org_id = $1 AND endpoint_id = $2 AND finished_at IS NULL",
        org_id.uuid(),
        endpoint_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets up to `most` replays that were asked for more than so many days ago and are over, from those after `after` on.
///
/// # Errors
/// The database's.
pub async fn expire(conn: &mut PgConnection, days: i32, after: Uuid, most: i64) -> sqlx::Result<Batch<Uuid>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM webhook_replay WHERE id = ANY (ARRAY(
           SELECT id FROM webhook_replay
            WHERE id > $2 AND id < uuid_v7_floor(now() - make_interval(days => $1)) AND finished_at IS NOT NULL
            ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED))
         RETURNING id",
        days,
        after,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(Batch::of(gone.len(), most, || gone.iter().max().copied()))
}
