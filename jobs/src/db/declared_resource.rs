//! What states declare: one row for each managed resource instance of a snapshot.

use futures::stream::BoxStream;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::json::{jsonb_text, plain_text};
use crate::ids::{DeclaredResourceId, OrgId, StateSnapshotId};

/// A resource to be stored.
#[derive(Debug, Clone)]
pub struct NewDeclared {
    /// As Terraform writes it.
    pub address: String,
    /// Terraform's type.
    pub provider_type: String,
    /// The `id` attribute, if it has one.
    pub provider_resource_id: Option<String>,
    /// The whole resource as JSON.
    pub resource: String,
}

/// Stores resources of a snapshot; a few hundred at a time are best.
///
/// # Errors
/// The database's.
pub async fn insert_many(
    conn: &mut PgConnection,
    org_id: OrgId,
    snapshot_id: StateSnapshotId,
    resources: &[NewDeclared],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = resources.iter().map(|_| DeclaredResourceId::new().uuid()).collect();
    let addresses: Vec<_> = resources.iter().map(|r| plain_text(&r.address)).collect();
    let addresses: Vec<&str> = addresses.iter().map(AsRef::as_ref).collect();
    let types: Vec<_> = resources.iter().map(|r| plain_text(&r.provider_type)).collect();
    let types: Vec<&str> = types.iter().map(AsRef::as_ref).collect();
    let cloud_ids: Vec<_> = resources.iter().map(|r| r.provider_resource_id.as_deref().map(plain_text)).collect();
    let cloud_ids: Vec<Option<&str>> = cloud_ids.iter().map(|id| id.as_deref()).collect();
    let texts: Vec<_> = resources.iter().map(|r| jsonb_text(&r.resource)).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    sqlx::query!(
        "INSERT INTO declared_resource (id, snapshot_id, org_id, address, provider_type, provider_resource_id, resource)
         SELECT r.id, $1, $2, r.address, r.provider_type, r.cloud_id, r.resource::jsonb
           FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
                AS r(id, address, provider_type, cloud_id, resource)",
        snapshot_id.uuid(),
        org_id.uuid(),
        &ids,
        &addresses as &[&str],
        &types as &[&str],
        &cloud_ids as &[Option<&str>],
        &texts as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A stored resource.
#[derive(Debug, Clone)]
pub struct Declared<T> {
    /// The snapshot that it is of.
    pub snapshot_id: StateSnapshotId,
    /// The whole resource, as whoever stored it reads it.
    pub resource: Json<T>,
}

/// The resources of some snapshots, in the order of the states.
pub fn stream<'c, T>(
    conn: &'c mut PgConnection,
    org_id: OrgId,
    snapshot_ids: &[StateSnapshotId],
) -> BoxStream<'c, sqlx::Result<Declared<T>>>
where
    T: DeserializeOwned + Send + Unpin + 'static,
{
    let ids: Vec<Uuid> = snapshot_ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Declared::<T>,
        r#"SELECT snapshot_id AS "snapshot_id: StateSnapshotId", resource AS "resource: Json<T>" FROM declared_resource
            WHERE org_id = $1 AND snapshot_id = ANY($2) ORDER BY snapshot_id, id"#,
        org_id.uuid(),
        &ids,
    )
    .fetch(conn)
}

/// A live resource and the declared one that has its type and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaring {
    /// Terraform's type.
    pub provider_type: String,
    /// The cloud's id.
    pub provider_resource_id: String,
    /// The declared resource; of several the one of the newest snapshot.
    pub id: DeclaredResourceId,
    /// Its address.
    pub address: String,
}

/// Finds, for live resources given as (type, cloud id), what declares them in the latest snapshots: those of exactly this
/// type and id. Drift knows more ways to match; this is for links on a page.
///
/// # Errors
/// The database's.
pub async fn declaring(conn: &mut PgConnection, org_id: OrgId, live: &[(&str, &str)]) -> sqlx::Result<Vec<Declaring>> {
    let (types, ids): (Vec<&str>, Vec<&str>) = live.iter().copied().unzip();
    sqlx::query_as!(
        Declaring,
        r#"SELECT DISTINCT ON (d.provider_type, d.provider_resource_id)
                  d.provider_type, d.provider_resource_id AS "provider_resource_id!", d.id AS "id: DeclaredResourceId", d.address
             FROM unnest($2::text[], $3::text[]) AS l(provider_type, cloud_id)
             JOIN declared_resource d
               ON d.org_id = $1 AND d.provider_type = l.provider_type AND d.provider_resource_id = l.cloud_id
             JOIN state_source s ON s.latest_snapshot_id = d.snapshot_id AND s.org_id = $1 AND s.deleted_at IS NULL
            ORDER BY d.provider_type, d.provider_resource_id, d.snapshot_id DESC, d.id"#,
        org_id.uuid(),
        &types as &[&str],
        &ids as &[&str],
    )
    .fetch_all(conn)
    .await
}
