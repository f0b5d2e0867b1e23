//! `GET /providers`

use jobs::providers::PROVIDERS;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::{Json, Router};
use serde::Serialize;

use crate::access::{Signed, Viewer};
use crate::problem::Problem;

/// The clouds that this deployment knows.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Providers",
    example = json!({"providers": [{
        "id": "aws",
        "name": "Amazon Web Services",
        "supported": true,
        "credential_types": ["access_key", "assume_role"],
        "readable_types": ["aws_instance", "aws_vpc"]
    }]})
))]
struct Providers {
    /// One each.
    providers: Vec<Provider>,
}

/// A cloud.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Provider"))]
struct Provider {
    /// The name in accounts, filters and paths.
    id: &'static str,
    /// The name for people.
    name: &'static str,
    /// Whether accounts of it can be scanned.
    supported: bool,
    /// Accepted values of an account's `credential_type`.
    credential_types: Vec<&'static str>,
    /// Terraform types that a scan can read.
    readable_types: Vec<&'static str>,
}

pub(super) fn router() -> Router {
    Router::with_path("providers").get(list)
}

/// Descriptors of the clouds this deployment supports
#[endpoint(operation_id = "list_cloud_providers", tags("accounts"))]
#[allow(clippy::unused_async, reason = "an endpoint is async")]
async fn list(_signed: Signed<Viewer>) -> Result<Json<Providers>, Problem> {
    let providers = PROVIDERS.iter().map(|provider| Provider {
        id: provider.id,
        name: provider.name,
        supported: provider.supported,
        credential_types: provider.credential_types.to_vec(),
        readable_types: provider.readable_types.to_vec(),
    });
    Ok(Json(Providers { providers: providers.collect() }))
}
