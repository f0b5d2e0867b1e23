//! The differing resources of a drift snapshot, in the order of its report.

use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::json::jsonb_text;
use super::page::Page;
use crate::ids::{DriftSnapshotId, OrgId};

/// An item to be stored.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// `changed`, `missing` or `extra`.
    pub kind: &'static str,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: &'static str,
    /// Terraform's type.
    pub provider_type: String,
    /// The whole item as JSON, in the wire shape.
    pub item: String,
}

/// Stores items of a snapshot, the first of them at place `first`; a few hundred at a time are best.
///
/// # Errors
/// The database's.
pub async fn insert_many(
    conn: &mut PgConnection,
    org_id: OrgId,
    snapshot_id: DriftSnapshotId,
    first: i32,
    items: &[NewItem],
) -> sqlx::Result<()> {
    let kinds: Vec<&str> = items.iter().map(|item| item.kind).collect();
    let severities: Vec<&str> = items.iter().map(|item| item.severity).collect();
    let types: Vec<&str> = items.iter().map(|item| item.provider_type.as_str()).collect();
    let texts: Vec<_> = items.iter().map(|item| jsonb_text(&item.item)).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    sqlx::query!(
        "INSERT INTO drift_item (snapshot_id, ordinal, org_id, kind, severity, provider_type, item)
         SELECT $1, ($3 + i.nth - 1)::integer, $2, i.kind, i.severity, i.provider_type, i.item::jsonb
           FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
                AS i(kind, severity, provider_type, item, nth)",
        snapshot_id.uuid(),
        org_id.uuid(),
        i64::from(first),
        &kinds as &[&str],
        &severities as &[&str],
        &types as &[&str],
        &texts as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A page of a snapshot's items in the wire shape, in their order.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut PgConnection,
    org_id: OrgId,
    snapshot_id: DriftSnapshotId,
    page: Page,
) -> sqlx::Result<Vec<Json<Box<RawValue>>>> {
    sqlx::query_scalar!(
        r#"SELECT item AS "item: Json<Box<RawValue>>" FROM drift_item WHERE org_id = $1 AND snapshot_id = $2
            ORDER BY ordinal LIMIT $3 OFFSET $4"#,
        org_id.uuid(),
        snapshot_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await
}
