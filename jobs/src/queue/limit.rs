//! Limits on running jobs, exact across all processes.
//!
//! A limit holds for a kind or for all kinds together, and counts the whole fleet, each tenant or each concurrency group. Claims
//! count a job in every limit that applies to it, in the claim's own transaction; the settlement that ends the run takes it out
//! again. So a limit that is set or lowered holds for what is claimed from then on; what runs already, runs on.

use sqlx::PgConnection;
use uuid::Uuid;

use super::signals::JOBS_CHANNEL;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// All running jobs of the kind.
    Fleet,
    /// Each tenant's; the platform's own are no tenant's.
    Tenant,
    /// Each concurrency group's of a tenant.
    Group,
}

impl Per {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Tenant => "tenant",
            Self::Group => "group",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "tenant" => Self::Tenant,
            "group" => Self::Group,
            _ => Self::Fleet,
        }
    }
}

/// How many jobs may run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The kind; empty: jobs of all kinds together.
    pub kind: String,
    /// What is counted.
    pub per: Per,
    /// The tenant whose own limit it is, with [`Per::Tenant`]; nil: every tenant that has none of its own.
    pub tenant: Uuid,
    /// So many; 0 stops them.
    pub max_running: i32,
}

/// Sets a limit, in place of the same one with another number.
///
/// # Errors
/// When the database refuses: a negative number, a tenant's limit that is not per tenant.
pub async fn set(conn: &mut PgConnection, limit: &Limit, by: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO concurrency_limit (kind, per, tenant, max_running, set_by) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, per, tenant) DO UPDATE SET max_running = $4, set_by = $5, set_at = now()",
        limit.kind,
        limit.per.as_str(),
        limit.tenant,
        limit.max_running,
        by,
    )
    .execute(&mut *conn)
    .await?;
    wake_all(conn).await
}

/// Removes a limit; says whether there was one.
///
/// # Errors
/// When the database refuses.
pub async fn remove(conn: &mut PgConnection, kind: &str, per: Per, tenant: Uuid) -> sqlx::Result<bool> {
    let removed = sqlx::query!(
        "DELETE FROM concurrency_limit WHERE kind = $1 AND per = $2 AND tenant = $3",
        kind,
        per.as_str(),
        tenant
    )
    .execute(&mut *conn)
    .await?;
    wake_all(conn).await?;
    Ok(removed.rows_affected() > 0)
}

/// The limits, at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Limit>> {
    let rows = sqlx::query!(
        "SELECT kind, per, tenant, max_running FROM concurrency_limit ORDER BY kind, per, tenant LIMIT $1",
        most
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Limit {
            kind: row.kind,
            per: Per::parse(&row.per),
            tenant: row.tenant,
            max_running: row.max_running,
        })
        .collect())
}

/// A limit may have made room in any queue.
async fn wake_all(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT pg_notify($1, queue) AS told FROM (SELECT DISTINCT unnest(queues) AS queue FROM worker) q",
        JOBS_CHANNEL
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Deletes up to `most` counters that count nothing; says how many. They come back when they are needed.
///
/// # Errors
/// When the database refuses.
pub async fn sweep_slots(conn: &mut PgConnection, most: i64) -> sqlx::Result<u64> {
    let swept = sqlx::query!(
        "DELETE FROM concurrency_slot WHERE key = ANY (ARRAY(
           SELECT key FROM concurrency_slot WHERE running = 0 LIMIT $1 FOR UPDATE SKIP LOCKED))",
        most,
    )
    .execute(conn)
    .await?;
    Ok(swept.rows_affected())
}
