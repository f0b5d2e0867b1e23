//! Organisations. What belongs to one hangs below `/orgs/{id}`.

mod create;
mod get;

use chrono::{DateTime, Utc};
use jobs::{db, plan};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

use super::{
    accounts, api_keys, dead_jobs, jobs as org_jobs, posture, resources, scans, schedules, state_sources,
    webhook_deliveries, webhook_endpoints,
};

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Org",
    example = json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "slug": "acme",
        "display_name": "Acme",
        "plan": "team",
        "features": ["audit_compliance", "glob_state_sources", "slack"],
        "created_at": "2026-01-01T00:00:00Z"
    })
))]
struct Org {
    /// Its id.
    id: Uuid,
    /// Short unique name.
    slug: String,
    /// Name that people see.
    display_name: String,
    /// free, team or enterprise.
    plan: &'static str,
    /// What the plan includes; user interfaces decide by it what to show.
    features: Vec<&'static str>,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<db::org::Org> for Org {
    fn from(org: db::org::Org) -> Self {
        Self {
            id: org.id.uuid(),
            slug: org.slug,
            display_name: org.display_name,
            plan: org.plan.as_str(),
            features: plan::features(org.plan).to_vec(),
            created_at: org.created_at,
        }
    }
}

/// `/orgs` and all below it.
pub(super) fn router() -> Router {
    Router::with_path("orgs").post(create::create).push(
        Router::with_path("{id}")
            .get(get::get)
            .push(accounts::router())
            .push(api_keys::router())
            .push(dead_jobs::router())
            .push(org_jobs::router())
            .push(posture::router())
            .push(resources::router())
            .push(scans::router())
            .push(schedules::router())
            .push(state_sources::router())
            .push(webhook_deliveries::router())
            .push(webhook_endpoints::router()),
    )
}
