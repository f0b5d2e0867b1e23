//! State sources: where Terraform states live.

mod create;
mod delete;
mod get;
mod list;
mod refresh;
mod upload;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use jobs::db::state_source::StateSource;
use jobs::domain::StateSourceKind;
use jobs::kinds::refresh_state_source::{BACKEND_FAULTS, Refreshed, STATE_FAULTS};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::awaited::Kind;

pub(super) fn router() -> Router {
    let one = Router::with_path("{src_id}")
        .get(get::get_state_source)
        .delete(delete::delete_state_source)
        .push(Router::with_path("refresh").post(refresh::refresh_state_source))
        .push(Router::with_path("state").put(upload::upload_state));
    Router::with_path("state-sources").get(list::list_state_sources).post(create::register_state_source).push(one)
}

/// Where a Terraform state lives. Secrets of the config are left out.
#[derive(Debug, Serialize, ToSchema)]
struct Source {
    id: Uuid,
    org_id: Uuid,
    cloud_account_id: Option<Uuid>,
    #[salvo(schema(value_type = String))]
    kind: StateSourceKind,
    display_name: String,
    config: Value,
    latest_snapshot_id: Option<Uuid>,
    last_fetched_at: Option<DateTime<Utc>>,
    /// Why the last try to read it failed; null after a success.
    last_fetch_error: Option<String>,
    missing_since: Option<DateTime<Utc>>,
    /// The glob that found it; null for a source registered by hand.
    parent_glob_id: Option<Uuid>,
    /// Workspaces of a `tfc` source.
    workspaces: Vec<Value>,
    created_at: DateTime<Utc>,
}

impl From<StateSource> for Source {
    fn from(source: StateSource) -> Self {
        Self {
            id: source.id.uuid(),
            org_id: source.org_id.uuid(),
            cloud_account_id: source.cloud_account_id.map(Into::into),
            kind: source.kind,
            display_name: source.display_name,
            config: source.config,
            latest_snapshot_id: source.latest_snapshot_id.map(Into::into),
            last_fetched_at: source.last_fetched_at,
            last_fetch_error: source.last_fetch_error,
            missing_since: source.missing_since,
            parent_glob_id: None,
            workspaces: Vec::new(),
            created_at: source.created_at,
        }
    }
}

/// What reading a state gave. With 202 it is not read yet: every field is null, and the source tells when it is.
#[derive(Debug, Default, Serialize, ToSchema)]
struct RefreshResult {
    content_hash: Option<String>,
    last_fetched_at: Option<DateTime<Utc>>,
    /// Whether the content is another than before.
    refreshed: Option<bool>,
    resource_count: Option<i32>,
    snapshot_id: Option<Uuid>,
}

impl From<Refreshed> for RefreshResult {
    fn from(read: Refreshed) -> Self {
        Self {
            content_hash: Some(read.content_hash),
            last_fetched_at: Some(read.last_fetched_at),
            refreshed: Some(read.refreshed),
            resource_count: Some(read.resource_count),
            snapshot_id: Some(read.snapshot_id.uuid()),
        }
    }
}

/// What the job that reads a state can say of it.
static REFUSALS: LazyLock<Vec<(&str, Kind)>> = LazyLock::new(|| {
    let mut all = vec![
        ("not_found", Kind::NotFound("state source")),
        ("upload_required", Kind::Conflict),
        ("kind_unsupported", Kind::Unprocessable),
        ("config_invalid", Kind::Unprocessable),
        ("cancelled", Kind::Conflict),
    ];
    all.extend(STATE_FAULTS.map(|class| (class, Kind::Unprocessable)));
    all.extend(BACKEND_FAULTS.map(|class| (class, Kind::BadGateway)));
    all
});
