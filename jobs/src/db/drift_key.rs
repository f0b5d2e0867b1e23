//! The key under which an organisation's declared secrets are hashed, sealed.

use sqlx::PgConnection;

use crate::ids::OrgId;

/// The organisation's sealed key; `candidate` becomes it where there is none yet.
///
/// # Errors
/// The database's.
pub async fn get_or_insert(conn: &mut PgConnection, org_id: OrgId, candidate: &[u8]) -> sqlx::Result<Vec<u8>> {
    sqlx::query!(
        "INSERT INTO drift_key (org_id, key) VALUES ($1, $2) ON CONFLICT (org_id) DO NOTHING",
        org_id.uuid(),
        candidate,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!("SELECT key FROM drift_key WHERE org_id = $1", org_id.uuid()).fetch_one(conn).await
}
