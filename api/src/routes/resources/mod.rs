//! Live resources: what the last scans found.

mod enrich;
mod get;
mod list;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use jobs::db::declared_resource;
use jobs::db::live_resource::LiveResource;
use jobs::domain::{EnrichmentStatus, Provider};
use jobs::ids::OrgId;
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("resources").get(list::list_live_resources).push(
        Router::with_path("{resource_id}")
            .get(get::get_live_resource)
            .push(Router::with_path("enrich").post(enrich::enrich_resource)),
    )
}

/// A resource that a scan found.
#[derive(Debug, Serialize, ToSchema)]
struct Resource {
    id: Uuid,
    cloud_account_id: Uuid,
    #[salvo(schema(value_type = String))]
    provider: Provider,
    /// Terraform's type.
    provider_type: String,
    /// The type without the provider's prefix, such as `s3_bucket`.
    normalized_type: String,
    /// The cloud's id, in the form Terraform uses.
    provider_resource_id: String,
    arn: Option<String>,
    name: Option<String>,
    /// Region, or `global`.
    region: String,
    /// `active`, or `gone` when a later scan did not find it.
    status: String,
    /// Why it is not yours to declare, such as `default VPC`.
    managed_by: Option<String>,
    /// The declared resource of this type and id, if a state has one.
    iac_resource_id: Option<Uuid>,
    /// Its address.
    iac_address: Option<String>,
    /// Terraform's attributes, as far as the cloud tells them.
    properties: Value,
    #[salvo(schema(value_type = String))]
    enrichment_status: EnrichmentStatus,
    enrichment_failure_reason: Option<String>,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
}

/// Resources as they are shown, with what declares them.
async fn shown(conn: &mut PgConnection, org: OrgId, rows: Vec<LiveResource>) -> Result<Vec<Resource>, Problem> {
    let keys: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.provider_type.as_str(), row.provider_resource_id.as_str())).collect();
    let mut declaring: HashMap<(String, String), _> = declared_resource::declaring(conn, org, &keys)
        .await?
        .into_iter()
        .map(|found| ((found.provider_type.clone(), found.provider_resource_id.clone()), found))
        .collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let declared = declaring.remove(&(row.provider_type.clone(), row.provider_resource_id.clone()));
            Resource {
                id: row.id.uuid(),
                cloud_account_id: row.cloud_account_id.uuid(),
                provider: row.provider,
                normalized_type: row.provider_type.split_once('_').map_or("", |(_, rest)| rest).to_owned(),
                provider_type: row.provider_type,
                provider_resource_id: row.provider_resource_id,
                arn: row.arn,
                name: row.name,
                region: row.region,
                status: row.status,
                managed_by: row.managed_by,
                iac_resource_id: declared.as_ref().map(|declared| declared.id.uuid()),
                iac_address: declared.map(|declared| declared.address),
                properties: row.properties,
                enrichment_status: row.enrichment_status,
                enrichment_failure_reason: row.enrichment_failure_reason,
                first_seen_at: row.first_seen_at,
                last_seen_at: row.last_seen_at,
            }
        })
        .collect())
}

/// One resource as it is shown.
async fn shown_one(conn: &mut PgConnection, org: OrgId, row: Option<LiveResource>) -> Result<Resource, Problem> {
    shown(conn, org, row.into_iter().collect()).await?.pop().ok_or(Problem::not_found("resource"))
}
