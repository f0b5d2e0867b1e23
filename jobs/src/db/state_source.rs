//! Where Terraform states live. A deleted source keeps its row and its snapshots for audit; no function here but [`delete`]
//! sees it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::page::{Listed, Page};
use crate::domain::StateSourceKind;
use crate::ids::{CloudAccountId, OrgId, StateSnapshotId, StateSourceId};

/// A state source, without the secret parts of its config.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSource {
    /// Its id.
    pub id: StateSourceId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account that it describes and whose credentials read it; none: all accounts of the organisation.
    pub cloud_account_id: Option<CloudAccountId>,
    /// The backend.
    pub kind: StateSourceKind,
    /// Name that people see.
    pub display_name: String,
    /// By kind; `s3`: `{"bucket", "key", "region"}`.
    pub config: Value,
    /// The snapshot that drift compares with.
    pub latest_snapshot_id: Option<StateSnapshotId>,
    /// When the state was last fetched or uploaded, and read.
    pub last_fetched_at: Option<DateTime<Utc>>,
    /// Why the last try failed; none after a success.
    pub last_fetch_error: Option<String>,
    /// Since when the backend says there is no such state.
    pub missing_since: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Expands to a checked query of whole [`StateSource`]s between two pieces of SQL.
macro_rules! sources {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            StateSource,
            $before
                + r#" id AS "id: StateSourceId", org_id AS "org_id: OrgId",
                cloud_account_id AS "cloud_account_id: CloudAccountId", kind AS "kind: StateSourceKind", display_name,
                config, latest_snapshot_id AS "latest_snapshot_id: StateSnapshotId", last_fetched_at, last_fetch_error,
                missing_since, created_at "#
                + $after
            $(, $arg)*
        )
    };
}

/// A source to be registered.
#[derive(Debug, Clone, Copy)]
pub struct NewStateSource<'a> {
    /// Its id, made before because the secret parts are sealed for it.
    pub id: StateSourceId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account it describes, which must be the organisation's own: check it with [`super::cloud_account::get`].
    pub cloud_account_id: Option<CloudAccountId>,
    /// The backend.
    pub kind: StateSourceKind,
    /// Name that people see, 1 to 128 characters.
    pub display_name: &'a str,
    /// The parts of the config that are no secrets.
    pub config: &'a Value,
    /// The others, sealed for table `state_source`, column `secret_config` and this row.
    pub secret_config: Option<&'a [u8]>,
}

/// Registers a source; nothing is fetched.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewStateSource<'_>) -> sqlx::Result<StateSource> {
    sources!(
        "INSERT INTO state_source (id, org_id, cloud_account_id, kind, display_name, config, secret_config)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING",
        "",
        new.id.uuid(),
        new.org_id.uuid(),
        new.cloud_account_id.map(CloudAccountId::uuid),
        new.kind.as_str(),
        new.display_name,
        new.config,
        new.secret_config,
    )
    .fetch_one(conn)
    .await
}

/// One source.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: StateSourceId) -> sqlx::Result<Option<StateSource>> {
    sources!(
        "SELECT",
        "FROM state_source WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// The newest sources first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, page: Page) -> sqlx::Result<Listed<StateSource>> {
    let total = count(&mut *conn, org_id).await?;
    let rows = sources!(
        "SELECT",
        "FROM state_source WHERE org_id = $1 AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        org_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// Sources of an organisation: what the plan's `state_sources` limits. Count while the organisation's row is locked.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "sources!" FROM state_source WHERE org_id = $1 AND deleted_at IS NULL"#,
        org_id.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// The sources that describe an account: its own and those of all accounts, oldest first.
///
/// # Errors
/// The database's.
pub async fn list_for_account(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
) -> sqlx::Result<Vec<StateSource>> {
    sources!(
        "SELECT",
        "FROM state_source
        WHERE org_id = $1 AND (cloud_account_id = $2 OR cloud_account_id IS NULL) AND deleted_at IS NULL
        ORDER BY created_at, id",
        org_id.uuid(),
        account_id.uuid(),
    )
    .fetch_all(conn)
    .await
}

/// Soft delete; false when there is none (any more).
///
/// # Errors
/// The database's.
pub async fn delete(conn: &mut PgConnection, org_id: OrgId, id: StateSourceId) -> sqlx::Result<bool> {
    let deleted = sqlx::query!(
        "UPDATE state_source SET deleted_at = now() WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Locks a source until the end of the transaction, so that its snapshots are stored one after the other.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, org_id: OrgId, id: StateSourceId) -> sqlx::Result<Option<StateSource>> {
    sources!(
        "SELECT",
        "FROM state_source WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Notes that the state was read now and which snapshot it is; the time of it, or `None` when the source is gone.
///
/// # Errors
/// The database's.
pub async fn set_fetched(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: StateSourceId,
    snapshot_id: StateSnapshotId,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"UPDATE state_source SET latest_snapshot_id = $3, last_fetched_at = now(), last_fetch_error = NULL,
                  missing_since = NULL
            WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL
           RETURNING last_fetched_at AS "last_fetched_at!""#,
        org_id.uuid(),
        id.uuid(),
        snapshot_id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Whether the backend has the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The backend says there is no such thing.
    Missing,
    /// It is there, or nobody knows.
    Unknown,
}

/// Notes why the state could not be read. The last snapshot stays the one that drift compares with.
///
/// # Errors
/// The database's.
pub async fn set_fetch_failed(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: StateSourceId,
    error: &str,
    presence: Presence,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE state_source SET last_fetch_error = $3,
                missing_since = CASE WHEN $4 THEN coalesce(missing_since, now()) ELSE missing_since END
          WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL",
        org_id.uuid(),
        id.uuid(),
        error,
        presence == Presence::Missing,
    )
    .execute(conn)
    .await?;
    Ok(())
}
