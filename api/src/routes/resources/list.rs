//! `GET /orgs/{id}/resources`

use jobs::db::live_resource;
use jobs::domain::Provider;
use jobs::ids::CloudAccountId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::{Resource, shown};
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Filter, Page, Parameter, Query};

/// A page of resources.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resources {
    resources: Vec<Resource>,
    /// As of the last scans.
    total: i64,
    limit: i64,
    offset: i64,
}

/// What resources can be narrowed by.
#[derive(Debug)]
pub(super) struct Narrow {
    account: Option<CloudAccountId>,
    provider: Option<Provider>,
}

impl Filter for Narrow {
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "account_id",
            description: "Only resources of this cloud account.",
            words: &[],
            required: false,
        },
        Parameter {
            name: "provider",
            description: "Only resources of this cloud.",
            words: &["aws", "azure", "gcp"],
            required: false,
        },
    ];

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        Ok(Self { account: query.id("account_id")?, provider: query.value("provider")? })
    }
}

/// Page through the resources that recent scans found
///
/// Resources that are gone are not listed.
#[endpoint(operation_id = "list_live_resources", tags("accounts"))]
pub(super) async fn list_live_resources(
    tenant: Tenant<Viewer>,
    page: Page<Narrow, 100, 500>,
) -> Result<Json<Resources>, Problem> {
    let filter = live_resource::Filter { cloud_account_id: page.filter.account, provider: page.filter.provider };
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = live_resource::list(&mut conn, tenant.org, filter, page.rows()).await?;
    Ok(Json(Resources {
        resources: shown(&mut conn, tenant.org, listed.rows).await?,
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
