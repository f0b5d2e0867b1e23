//! The worker processes, as people want to see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::config::Config;

/// A worker process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worker {
    /// Random, new at every start.
    pub id: Uuid,
    /// Host and process.
    pub name: String,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// When it registered.
    pub started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub beat_at: DateTime<Utc>,
    /// How long ago that was, by the database's clock.
    pub beat_age_s: f64,
    /// Whether its lease still stands. One that is not alive is rescued within seconds by any other.
    pub alive: bool,
}

/// Where a list of workers goes on: after this name and id.
pub type Place = (String, Uuid);

/// Workers by name, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, after: Option<&Place>, limit: i64) -> sqlx::Result<Vec<Worker>> {
    sqlx::query_as!(
        Worker,
        r#"SELECT id, name, queues, started_at, beat_at,
                  extract(epoch FROM now() - beat_at)::float8 AS "beat_age_s!",
                  beat_at >= now() - make_interval(secs => $1) AS "alive!"
             FROM worker
            WHERE $2::text IS NULL OR (name, id) > ($2, $3::uuid)
            ORDER BY name, id LIMIT $4"#,
        Config::default().lease.as_secs_f64(),
        after.map(|(name, _)| name.as_str()),
        after.map(|(_, id)| *id),
        limit,
    )
    .fetch_all(conn)
    .await
}
