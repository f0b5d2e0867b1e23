//! Reads one live resource again, for a request that waits.

use jobs::db::live_resource::{self, LiveResource};
use jobs::domain::EnrichmentStatus;
use jobs::kinds::enrich_resource::{EnrichResource, Enriched};
use jobs::queue::JobError;
use serde_json::Value;
use sqlx::Connection as _;

use super::answer;
use crate::cloud::{CloudError, EnrichError, ErrorClass, ResourceKey};
use crate::live;
use crate::runtime::JobContext;
use crate::services::Services;

/// Runs [`EnrichResource`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = EnrichResource;

    async fn run(&self, cx: &JobContext, job: EnrichResource) -> Result<Value, JobError> {
        let mut conn = cx.pool.acquire().await?;
        let row = live_resource::get(&mut conn, job.org_id, job.resource_id).await?;
        let row = row.ok_or_else(|| JobError::fail("not_found", format!("no resource {}", job.resource_id)))?;
        if matches!(row.enrichment_status, EnrichmentStatus::Enriched | EnrichmentStatus::NotApplicable) {
            return answer(&Enriched::Enriched);
        }
        let connected = self.0.connect(&mut conn, job.org_id, row.cloud_account_id).await?;
        // The cloud may take its time; somebody else can use the connection meanwhile.
        drop(conn);
        let read = connected.provider.enrich(key(&row)).await;
        if let Err(error) = &read
            && is_transient(error)
            && !cx.is_last_attempt()
        {
            return Err(JobError::retry("cloud_unreachable", error));
        }
        // Neither the resource's fault nor its account's.
        if let Err(EnrichError::Cloud(error @ CloudError::NoPlatformIdentity(_))) = &read {
            return Err(JobError::fail("no_platform_identity", error));
        }
        let mut conn = cx.pool.acquire().await?;
        let mut tx = conn.begin().await?;
        cx.hold(&mut tx).await?;
        let outcome = match read {
            Ok(found) => {
                live_resource::set_enriched(&mut tx, job.org_id, row.id, &live::found(found)?).await?;
                Enriched::Enriched
            }
            Err(error) => {
                let reason = error.to_string();
                live_resource::set_enrichment_failed(&mut tx, job.org_id, row.id, &reason).await?;
                Enriched::Failed { error_class: class(&error).to_owned(), reason }
            }
        };
        tx.commit().await?;
        answer(&outcome)
    }
}

fn key(row: &LiveResource) -> ResourceKey {
    ResourceKey {
        provider_type: row.provider_type.clone(),
        provider_resource_id: row.provider_resource_id.clone(),
        region: row.region.clone(),
    }
}

fn is_transient(error: &EnrichError) -> bool {
    match error {
        EnrichError::Read(error) => {
            matches!(error.class, ErrorClass::Throttled | ErrorClass::Unreachable | ErrorClass::ServiceError)
        }
        EnrichError::Cloud(error) => error.is_transient(),
        EnrichError::NotFound { .. } | EnrichError::UnknownType(_) => false,
    }
}

fn class(error: &EnrichError) -> &'static str {
    match error {
        EnrichError::NotFound { .. } => "resource_gone",
        EnrichError::UnknownType(_) => "type_unreadable",
        EnrichError::Read(error) | EnrichError::Cloud(CloudError::Refused(error) | CloudError::Unavailable(error)) => {
            error.class.as_str()
        }
        EnrichError::Cloud(_) => "credential_malformed",
    }
}
