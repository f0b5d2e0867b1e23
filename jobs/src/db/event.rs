//! What happened and may be told to subscribers. Written by [`crate::events`] only.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batches::Batch;
use crate::events::NewEvent;
use crate::ids::{CloudAccountId, EventId, OrgId};

/// Records an event in the caller's transaction.
///
/// # Errors
/// The database's; its check refuses data of 20 kB or more.
pub async fn insert(conn: &mut PgConnection, id: EventId, new: &NewEvent<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO event (id, org_id, event_type, cloud_account_id, data) VALUES ($1, $2, $3, $4, $5)",
        id.uuid(),
        new.org_id.uuid(),
        new.event_type.as_str(),
        new.cloud_account_id.map(CloudAccountId::uuid),
        new.data,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its id.
    pub id: EventId,
    /// Dotted, such as `scan.completed`.
    pub event_type: String,
    /// Ids and links.
    pub data: Value,
}

/// The newest events of an organisation, newest first.
///
/// # Errors
/// The database's.
pub async fn newest(conn: &mut PgConnection, org_id: OrgId, limit: i64) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"SELECT id AS "id: EventId", event_type, data FROM event WHERE org_id = $1
            ORDER BY occurred_at DESC, id DESC LIMIT $2"#,
        org_id.uuid(),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Deletes up to `most` events that are older than so many days, from those after `after` on.
///
/// # Errors
/// The database's.
pub async fn expire(conn: &mut PgConnection, days: i32, after: Uuid, most: i64) -> sqlx::Result<Batch<Uuid>> {
    // An array, because a set would be joined by reading the whole table where the planner takes it for a large one.
    let gone = sqlx::query_scalar!(
        "DELETE FROM event WHERE id = ANY (ARRAY(
           SELECT id FROM event WHERE id > $2 AND id < uuid_v7_floor(now() - make_interval(days => $1))
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
