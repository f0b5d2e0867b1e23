//! `GET /orgs/{id}/scans`

use chrono::Utc;
use jobs::db::scan_run;
use jobs::domain::{Provider, ScanType};
use jobs::ids::CloudAccountId;
use jobs::plan;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Scan;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Filter, Page, Parameter, Query};

/// A page of scans.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scans {
    scans: Vec<Scan>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// What the scan history can be narrowed by.
#[derive(Debug)]
pub(super) struct Narrow {
    account: Option<CloudAccountId>,
    scan_type: Option<ScanType>,
    provider: Option<Provider>,
}

impl Filter for Narrow {
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "account_id", description: "Only scans of this cloud account.", words: &[], required: false },
        Parameter {
            name: "scan_type",
            description: "Only scans that this started.",
            words: ScanType::WORDS,
            required: false,
        },
        Parameter {
            name: "provider",
            description: "Only scans of this cloud.",
            words: &["aws", "azure", "gcp"],
            required: false,
        },
    ];

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        Ok(Self {
            account: query.id("account_id")?,
            scan_type: query.value("scan_type")?,
            provider: query.value("provider")?,
        })
    }
}

/// Page through the scan history
///
/// Newest first; as far back as the plan keeps it.
#[endpoint(operation_id = "list_scans", tags("scans"))]
pub(super) async fn list_scans(tenant: Tenant<Viewer>, page: Page<Narrow>) -> Result<Json<Scans>, Problem> {
    let filter = scan_run::Filter {
        cloud_account_id: page.filter.account,
        scan_type: page.filter.scan_type,
        provider: page.filter.provider,
        since: plan::limits(tenant.plan).scan_history.map(|back| Utc::now() - back),
    };
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = scan_run::list(&mut conn, tenant.org, filter, page.rows()).await?;
    Ok(Json(Scans {
        scans: listed.rows.into_iter().map(Scan::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
