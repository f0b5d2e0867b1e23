//! Looking through the dead.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Cursor, Filter};
use crate::ids::JobId;

/// A preview counts no further.
pub const COUNTED: i64 = 100_000;
/// Rows that a preview shows.
const SHOWN: i64 = 10;

/// A dead job in a list: without what may be large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Listed {
    /// The id that the job had.
    pub id: JobId,
    /// Whose it was; the nil UUID is the platform itself.
    #[serde(rename = "org_id", serialize_with = "super::org_or_null")]
    pub tenant: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Attempts that it spent.
    pub attempt: i16,
    /// Why it died, see [`DeathReason`](crate::domain::DeathReason).
    pub reason: String,
    /// Class of the last failure.
    pub error_class: String,
    /// Message of the last failure.
    pub error: String,
    /// How often it was replayed before.
    pub replays: i32,
    /// When it died.
    pub died_at: DateTime<Utc>,
    /// The job that replays it now.
    pub replay_job_id: Option<Uuid>,
}

/// What a filter means, before anything is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Dead jobs that match, [`COUNTED`] at most.
    pub count: i64,
    /// Whether there may be more than counted.
    pub or_more: bool,
    /// The newest of them.
    pub newest: Vec<Listed>,
}

/// Dead jobs, newest first, at most `limit` of them after `after`.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT id, tenant, kind, queue, attempt, reason, error_class, error, cardinality(lineage) AS replays, died_at,
                replay_job_id
           FROM dead_job",
    );
    filter.push(&mut query);
    if let Some(cursor) = after {
        cursor.push(&mut query);
    }
    // Written out: a plan for any limit would be one for many rows.
    query.push(" ORDER BY died_at DESC, id DESC LIMIT ").push(limit);
    query.build_query_as().fetch_all(conn).await
}

/// Counts what matches, up to [`COUNTED`], and shows ten.
///
/// # Errors
/// When the database refuses.
pub async fn preview(conn: &mut PgConnection, filter: &Filter) -> sqlx::Result<Preview> {
    let newest = list(conn, filter, None, SHOWN).await?;
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM (SELECT FROM dead_job");
    filter.push(&mut query);
    query.push(" LIMIT ").push_bind(COUNTED).push(") AS matching");
    let count: i64 = query.build_query_scalar().fetch_one(conn).await?;
    Ok(Preview { count, or_more: count >= COUNTED, newest })
}
