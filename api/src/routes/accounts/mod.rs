//! Cloud accounts: what scans read.

mod create;
mod get;
mod list;
mod onboarding;
mod registration;

use chrono::{DateTime, Utc};
use jobs::db::cloud_account::CloudAccount;
use jobs::domain::{CredentialType, Provider};
use salvo::oapi::ToSchema;
use salvo::prelude::Router;
use serde::Serialize;
use uuid::Uuid;

pub(super) fn router() -> Router {
    Router::new()
        .push(
            Router::with_path("accounts")
                .get(list::list_cloud_accounts)
                .post(create::register_cloud_account)
                .push(Router::with_path("registrations/{registration_id}").get(registration::get_account_registration))
                .push(Router::with_path("{account_id}").get(get::get_cloud_account)),
        )
        .push(Router::with_path("cloud-onboarding-info").get(onboarding::get_cloud_onboarding_info))
}

/// A registered cloud account. Its credentials are never shown.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    id: Uuid,
    org_id: Uuid,
    #[salvo(schema(value_type = String))]
    provider: Provider,
    external_account_id: String,
    display_name: String,
    #[salvo(schema(value_type = String))]
    credential_type: CredentialType,
    default_region: String,
    /// Resources that were there at the last scan.
    live_resource_count: i64,
    /// The newest scan that ended done.
    last_scan_id: Option<Uuid>,
    last_validated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<CloudAccount> for Account {
    fn from(account: CloudAccount) -> Self {
        Self {
            id: account.id.uuid(),
            org_id: account.org_id.uuid(),
            provider: account.provider,
            external_account_id: account.external_account_id,
            display_name: account.display_name,
            credential_type: account.credential_type,
            default_region: account.default_region,
            live_resource_count: account.live_resource_count,
            last_scan_id: account.last_scan_id.map(Into::into),
            last_validated_at: account.last_validated_at,
            created_at: account.created_at,
        }
    }
}
