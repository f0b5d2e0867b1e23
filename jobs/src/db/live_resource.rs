//! What scans found in the clouds: one row a resource, kept under one id from scan to scan.
//!
//! A row carries the newest scan that saw it. At the end of a scan, rows that it could have seen and did not are `gone`;
//! rows of a part that it could not read stay as they are.

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::json::{jsonb_text, plain_text};
use super::page::{Listed, Page};
use crate::domain::{EnrichmentStatus, Provider};
use crate::ids::{CloudAccountId, LiveResourceId, OrgId, ScanId};

/// A resource that a scan found.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveResource {
    /// Its id, the same in every scan.
    pub id: LiveResourceId,
    /// The organisation.
    pub org_id: OrgId,
    /// The account.
    pub cloud_account_id: CloudAccountId,
    /// The account's provider.
    pub provider: Provider,
    /// Terraform's type.
    pub provider_type: String,
    /// The cloud's id, in the form Terraform uses.
    pub provider_resource_id: String,
    /// Region, or `global`.
    pub region: String,
    /// ARN where there is one.
    pub arn: Option<String>,
    /// Name that people see.
    pub name: Option<String>,
    /// Terraform's attributes as far as the cloud tells them.
    pub properties: Value,
    /// Why it is not the customer's to declare, such as `default VPC`.
    pub managed_by: Option<String>,
    /// `type.id` of the resource it hangs on.
    pub part_of: Option<String>,
    /// `active`, or `gone` when a scan looked and did not find it.
    pub status: String,
    /// Whether it was read again on its own.
    pub enrichment_status: EnrichmentStatus,
    /// Why the last enrichment failed.
    pub enrichment_failure_reason: Option<String>,
    /// The newest scan that saw it.
    pub last_scan_id: ScanId,
    /// When a scan first saw it.
    pub first_seen_at: DateTime<Utc>,
    /// When a scan last saw it.
    pub last_seen_at: DateTime<Utc>,
}

/// Expands to a checked query of whole [`LiveResource`]s between two pieces of SQL.
macro_rules! resources {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            LiveResource,
            $before
                + r#" id AS "id: LiveResourceId", org_id AS "org_id: OrgId",
                cloud_account_id AS "cloud_account_id: CloudAccountId", provider AS "provider: Provider", provider_type,
                provider_resource_id, region, arn, name, properties, managed_by, part_of, status,
                enrichment_status AS "enrichment_status: EnrichmentStatus", enrichment_failure_reason,
                last_scan_id AS "last_scan_id: ScanId", first_seen_at, last_seen_at "#
                + $after
            $(, $arg)*
        )
    };
}

/// A resource as a scan found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Terraform's type.
    pub provider_type: String,
    /// The cloud's id, in the form Terraform uses.
    pub provider_resource_id: String,
    /// Region, or `global`.
    pub region: String,
    /// ARN where there is one.
    pub arn: Option<String>,
    /// Name that people see.
    pub name: Option<String>,
    /// Terraform's attributes, a JSON object.
    pub properties: String,
    /// Why it is not the customer's to declare.
    pub managed_by: Option<String>,
    /// `type.id` of the resource it hangs on.
    pub part_of: Option<String>,
}

/// Writes what a scan found, under the ids that the resources had before; a few hundred at a time are best. A resource
/// that is listed twice counts once, the later one.
///
/// # Errors
/// The database's.
pub async fn upsert_many(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
    scan_id: ScanId,
    found: &[Found],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = found.iter().map(|_| LiveResourceId::new().uuid()).collect();
    let types: Vec<&str> = found.iter().map(|r| r.provider_type.as_str()).collect();
    let cloud_ids: Vec<&str> = found.iter().map(|r| r.provider_resource_id.as_str()).collect();
    let regions: Vec<&str> = found.iter().map(|r| r.region.as_str()).collect();
    let arns: Vec<Option<&str>> = found.iter().map(|r| r.arn.as_deref()).collect();
    let names: Vec<_> = found.iter().map(|r| r.name.as_deref().map(plain_text)).collect();
    let names: Vec<Option<&str>> = names.iter().map(|name| name.as_deref()).collect();
    let properties: Vec<_> = found.iter().map(|r| jsonb_text(&r.properties)).collect();
    let properties: Vec<&str> = properties.iter().map(AsRef::as_ref).collect();
    let managed_by: Vec<Option<&str>> = found.iter().map(|r| r.managed_by.as_deref()).collect();
    let part_of: Vec<Option<&str>> = found.iter().map(|r| r.part_of.as_deref()).collect();
    sqlx::query!(
        "INSERT INTO live_resource AS l (id, org_id, cloud_account_id, provider, provider_type, provider_resource_id, region,
                                         arn, name, properties, managed_by, part_of, last_scan_id)
         SELECT DISTINCT ON (f.provider_type, f.region, f.cloud_id)
                f.id, a.org_id, a.id, a.provider, f.provider_type, f.cloud_id, f.region, f.arn, f.name,
                f.properties::jsonb, f.managed_by, f.part_of, $3
           FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                       $12::text[])
                WITH ORDINALITY
                AS f(id, provider_type, cloud_id, region, arn, name, properties, managed_by, part_of, nth)
           JOIN cloud_account a ON a.org_id = $1 AND a.id = $2
          ORDER BY f.provider_type, f.region, f.cloud_id, f.nth DESC
         ON CONFLICT ON CONSTRAINT live_resource_identity_key DO UPDATE SET
             arn = excluded.arn, name = excluded.name, properties = excluded.properties,
             managed_by = excluded.managed_by, part_of = excluded.part_of, status = 'active',
             enrichment_status = CASE WHEN l.properties = excluded.properties THEN l.enrichment_status ELSE 'none' END,
             enrichment_failure_reason =
                 CASE WHEN l.properties = excluded.properties THEN l.enrichment_failure_reason END,
             last_scan_id = excluded.last_scan_id, last_seen_at = now()",
        org_id.uuid(),
        account_id.uuid(),
        scan_id.uuid(),
        &ids,
        &types as &[&str],
        &cloud_ids as &[&str],
        &regions as &[&str],
        &arns as &[Option<&str>],
        &names as &[Option<&str>],
        &properties as &[&str],
        &managed_by as &[Option<&str>],
        &part_of as &[Option<&str>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a scan did not look at, or could not read.
#[derive(Debug, Clone, Default)]
pub struct Unseen {
    /// Terraform types, each with a region; `None` is every region.
    pub slices: Vec<(String, Option<String>)>,
    /// The regions that were asked for, and `global`; empty is all of them.
    pub regions: Vec<String>,
}

/// Marks as gone what the scan could have seen and did not; how many.
///
/// # Errors
/// The database's.
pub async fn mark_gone(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
    scan_id: ScanId,
    unseen: &Unseen,
) -> sqlx::Result<u64> {
    let (types, regions): (Vec<&str>, Vec<Option<&str>>) =
        unseen.slices.iter().map(|(provider_type, region)| (provider_type.as_str(), region.as_deref())).unzip();
    let gone = sqlx::query!(
        "UPDATE live_resource l SET status = 'gone'
          WHERE l.org_id = $1 AND l.cloud_account_id = $2 AND l.status = 'active' AND l.last_scan_id <> $3
            AND (cardinality($4::text[]) = 0 OR l.region = ANY($4))
            AND NOT EXISTS (SELECT FROM unnest($5::text[], $6::text[]) AS u(provider_type, region)
                             WHERE u.provider_type = l.provider_type AND (u.region IS NULL OR u.region = l.region))",
        org_id.uuid(),
        account_id.uuid(),
        scan_id.uuid(),
        &unseen.regions,
        &types as &[&str],
        &regions as &[Option<&str>],
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// How many resources of each Terraform type a scan saw.
///
/// # Errors
/// The database's.
pub async fn count_by_type(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
    scan_id: ScanId,
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT provider_type, count(*) AS "found!" FROM live_resource
            WHERE org_id = $1 AND cloud_account_id = $2 AND last_scan_id = $3 AND status = 'active'
            GROUP BY provider_type ORDER BY provider_type"#,
        org_id.uuid(),
        account_id.uuid(),
        scan_id.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.provider_type, row.found)).collect())
}

/// The resources that a scan saw, in an order that is the same every time.
pub fn stream_seen(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
    scan_id: ScanId,
) -> BoxStream<'_, sqlx::Result<LiveResource>> {
    resources!(
        "SELECT",
        "FROM live_resource WHERE org_id = $1 AND cloud_account_id = $2 AND last_scan_id = $3 AND status = 'active'
        ORDER BY provider_type, region, provider_resource_id",
        org_id.uuid(),
        account_id.uuid(),
        scan_id.uuid(),
    )
    .fetch(conn)
}

/// One resource, gone ones too.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: LiveResourceId) -> sqlx::Result<Option<LiveResource>> {
    resources!("SELECT", "FROM live_resource WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// Which resources to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of one account.
    pub cloud_account_id: Option<CloudAccountId>,
    /// Of one cloud.
    pub provider: Option<Provider>,
}

/// Resources that are there, oldest first. The total comes from the accounts' counters, as of their last scans.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut PgConnection,
    org_id: OrgId,
    filter: Filter,
    page: Page,
) -> sqlx::Result<Listed<LiveResource>> {
    let provider = filter.provider.map(Provider::as_str);
    let total = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(live_resource_count), 0)::bigint AS "total!" FROM cloud_account
            WHERE org_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::text IS NULL OR provider = $3)"#,
        org_id.uuid(),
        filter.cloud_account_id.map(CloudAccountId::uuid),
        provider,
    )
    .fetch_one(&mut *conn)
    .await?;
    let rows = match filter.cloud_account_id {
        Some(account_id) => {
            resources!(
                "SELECT",
                "FROM live_resource
                WHERE org_id = $1 AND cloud_account_id = $2 AND status = 'active' AND ($3::text IS NULL OR provider = $3)
                ORDER BY id LIMIT $4 OFFSET $5",
                org_id.uuid(),
                account_id.uuid(),
                provider,
                page.limit,
                page.offset,
            )
            .fetch_all(conn)
            .await?
        }
        None => {
            resources!(
                "SELECT",
                "FROM live_resource WHERE org_id = $1 AND status = 'active' AND ($2::text IS NULL OR provider = $2)
                ORDER BY id LIMIT $3 OFFSET $4",
                org_id.uuid(),
                provider,
                page.limit,
                page.offset,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(Listed { rows, total })
}

/// Writes what reading a resource again found; `None` when the row is gone.
///
/// # Errors
/// The database's.
pub async fn set_enriched(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: LiveResourceId,
    found: &Found,
) -> sqlx::Result<Option<LiveResource>> {
    let properties = jsonb_text(&found.properties);
    let name = found.name.as_deref().map(plain_text);
    resources!(
        "UPDATE live_resource SET arn = $3, name = $4, properties = ($5::text)::jsonb, managed_by = $6, part_of = $7,
                status = 'active', enrichment_status = 'enriched', enrichment_failure_reason = NULL
          WHERE org_id = $1 AND id = $2
         RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        found.arn,
        name.as_deref(),
        properties.as_ref(),
        found.managed_by,
        found.part_of,
    )
    .fetch_optional(conn)
    .await
}

/// Notes why reading a resource again failed.
///
/// # Errors
/// The database's.
pub async fn set_enrichment_failed(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: LiveResourceId,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE live_resource SET enrichment_status = 'failed', enrichment_failure_reason = $3
          WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}
