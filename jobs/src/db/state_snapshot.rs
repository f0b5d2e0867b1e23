//! Parsed versions of states. The same bytes of a source are stored once: its content hash is unique.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::ids::{OrgId, StateSnapshotId, StateSourceId};

/// A resource of a state that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseFailure {
    /// Its address, as far as known.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// Begins a version: its row, so that its resources can refer to it. What the state says about itself follows with
/// [`complete`], in the same transaction. False when the source has this content already.
///
/// # Errors
/// The database's.
pub async fn begin(
    conn: &mut PgConnection,
    org_id: OrgId,
    source_id: StateSourceId,
    id: StateSnapshotId,
    content_hash: &str,
) -> sqlx::Result<bool> {
    let begun = sqlx::query!(
        "INSERT INTO state_snapshot (id, org_id, state_source_id, content_hash, size_bytes, serial, lineage,
                                     terraform_version, resource_count, parse_failure_count, parse_failures)
         VALUES ($1, $2, $3, $4, 0, 0, '', '', 0, 0, '[]')
         ON CONFLICT ON CONSTRAINT state_snapshot_content_key DO NOTHING",
        id.uuid(),
        org_id.uuid(),
        source_id.uuid(),
        content_hash,
    )
    .execute(conn)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// What a state says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// Uncompressed size in bytes.
    pub size_bytes: i64,
    /// Terraform's serial.
    pub serial: i64,
    /// Terraform's lineage.
    pub lineage: &'a str,
    /// The version that wrote it.
    pub terraform_version: &'a str,
    /// Managed resource instances in it.
    pub resource_count: i32,
    /// Instances that could not be read.
    pub parse_failure_count: i32,
    /// The first of them.
    pub parse_failures: &'a [ParseFailure],
}

/// Completes a version that [`begin`] began.
///
/// # Errors
/// The database's.
pub async fn complete(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: StateSnapshotId,
    contents: &Contents<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE state_snapshot SET size_bytes = $3, serial = $4, lineage = $5, terraform_version = $6,
                resource_count = $7, parse_failure_count = $8, parse_failures = $9
          WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
        contents.size_bytes,
        contents.serial,
        contents.lineage,
        contents.terraform_version,
        contents.resource_count,
        contents.parse_failure_count,
        Json(contents.parse_failures) as Json<&[ParseFailure]>,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A stored version, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: StateSnapshotId,
    /// SHA-256 of the uncompressed bytes, hex.
    pub content_hash: String,
    /// Managed resource instances in it.
    pub resource_count: i32,
    /// Instances that could not be read.
    pub parse_failure_count: i32,
}

/// The version of a source with this content.
///
/// # Errors
/// The database's.
pub async fn find(
    conn: &mut PgConnection,
    org_id: OrgId,
    source_id: StateSourceId,
    content_hash: &str,
) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"SELECT id AS "id: StateSnapshotId", content_hash, resource_count, parse_failure_count FROM state_snapshot
            WHERE org_id = $1 AND state_source_id = $2 AND content_hash = $3"#,
        org_id.uuid(),
        source_id.uuid(),
        content_hash,
    )
    .fetch_optional(conn)
    .await
}

/// One version.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: StateSnapshotId) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"SELECT id AS "id: StateSnapshotId", content_hash, resource_count, parse_failure_count FROM state_snapshot
            WHERE org_id = $1 AND id = $2"#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}
