//! `POST /orgs/{id}/resources/{resource_id}/enrich`

use std::time::Duration;

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::live_resource;
use jobs::domain::EnrichmentStatus;
use jobs::ids::{JobId, LiveResourceId};
use jobs::kinds::enrich_resource::{EnrichResource, Enriched};
use jobs::queue;
use salvo::Writer as _;
use salvo::http::StatusCode;
use salvo::oapi::endpoint;
use serde_json::json;

use super::{Resource, shown_one};
use crate::access::{Admin, Tenant};
use crate::answer::Done;
use crate::awaited::{self, Kind, Outcome};
use crate::problem::Problem;
use crate::request::PathId;

/// What the job that reads a resource again can say.
const REFUSALS: &[(&str, Kind)] = &[
    ("not_found", Kind::NotFound("resource")),
    ("credential_malformed", Kind::Unprocessable),
    ("account_mismatch", Kind::Unprocessable),
    ("cloud_unreachable", Kind::BadGateway),
    ("no_platform_identity", Kind::BadGateway),
    ("cancelled", Kind::Conflict),
];

/// Fetch the full properties of one resource from the cloud now
///
/// Does nothing where it is `enriched` or `n/a` already. Where the cloud refuses this one resource the row becomes `failed`
/// and the answer is 422 with the reason. What is not answered within 25 s is 202; poll the resource.
#[endpoint(
    operation_id = "enrich_resource",
    tags("accounts"),
    responses(
        (status_code = 202, description = "Still being read; poll the resource at `Location`", body = Resource),
        (status_code = 409, description = "An operator cancelled the job"),
        (status_code = 422, description = "The cloud refused this resource; `error` says why"),
        (status_code = 502, description = "The cloud cannot be reached"),
    )
)]
pub(super) async fn enrich_resource(
    tenant: Tenant<Admin>,
    resource_id: PathId<LiveResourceId>,
) -> Result<Done<Resource>, Problem> {
    let id = resource_id.0;
    let mut conn = tenant.app.pool().acquire().await?;
    let row = live_resource::get(&mut conn, tenant.org, id).await?.ok_or(Problem::not_found("resource"))?;
    if matches!(row.enrichment_status, EnrichmentStatus::Enriched | EnrichmentStatus::NotApplicable) {
        return Done::new(&shown_one(&mut conn, tenant.org, Some(row)).await?);
    }
    drop(conn);
    let job = request(&tenant, id).await?;
    let outcome = awaited::outcome::<Enriched>(&tenant.context, job).await?;
    let mut conn = tenant.app.pool().acquire().await?;
    let row = live_resource::get(&mut conn, tenant.org, id).await?;
    match outcome {
        Outcome::Done(Enriched::Enriched) => Done::new(&shown_one(&mut conn, tenant.org, row).await?),
        Outcome::Done(Enriched::Failed { error_class, reason }) => Err(Problem::Unprocessable {
            class: "enrichment_failed",
            message: format!("the cloud refused this resource ({error_class}): {reason}"),
            fields: Vec::new(),
        }),
        Outcome::Failed(failure) => Err(failure.into_problem(REFUSALS)),
        Outcome::Pending => Ok(Done::new(&shown_one(&mut conn, tenant.org, row).await?)?
            .with_status(StatusCode::ACCEPTED)
            .location(&format!("/api/v2/orgs/{}/resources/{id}", tenant.org))
            .retry_after(Duration::from_secs(2))),
    }
}

async fn request(tenant: &Tenant<Admin>, id: LiveResourceId) -> Result<JobId, Problem> {
    let mut tx = tenant.app.begin().await?;
    let job = EnrichResource { org_id: tenant.org, resource_id: id };
    let enqueued = queue::enqueue_with(&mut tx, &job, &awaited::options(&tenant.context)).await?;
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::ResourceEnriched,
        target: Target { kind: "live_resource", id: id.to_string() },
        details: json!({"job_id": enqueued.id}),
    };
    append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(enqueued.id)
}
