//! `GET /orgs/{id}/posture`

use chrono::{DateTime, Utc};
use jobs::db::drift_snapshot::{self, Posture as Row};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;
use uuid::Uuid;

use crate::access::{Tenant, Viewer};
use crate::problem::Problem;

/// How the accounts of an organisation stand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Posture {
    org_id: Uuid,
    accounts: Vec<AccountPosture>,
}

/// How one account stands by its newest drift of all regions; null where none was computed yet.
#[derive(Debug, Serialize, ToSchema)]
struct AccountPosture {
    account_id: Uuid,
    display_name: String,
    scan_id: Option<Uuid>,
    coverage_pct: Option<f64>,
    risk_level: Option<String>,
    undeclared_count: Option<i32>,
    changed_count: Option<i32>,
    missing_count: Option<i32>,
    computed_at: Option<DateTime<Utc>>,
}

impl From<Row> for AccountPosture {
    fn from(row: Row) -> Self {
        Self {
            account_id: row.account_id.uuid(),
            display_name: row.display_name,
            scan_id: row.scan_id.map(Into::into),
            coverage_pct: row.coverage_pct,
            risk_level: row.risk_level,
            undeclared_count: row.undeclared_count,
            changed_count: row.changed_count,
            missing_count: row.missing_count,
            computed_at: row.computed_at,
        }
    }
}

/// Coverage, risk and undeclared resources per account
///
/// The 1,000 oldest accounts, each by the newest drift of a scan of all its regions; a scan of some regions counts only
/// where there was never one of all.
#[endpoint(operation_id = "get_posture", tags("drift"))]
pub(super) async fn get_posture(tenant: Tenant<Viewer>) -> Result<Json<Posture>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let rows = drift_snapshot::posture(&mut conn, tenant.org).await?;
    Ok(Json(Posture { org_id: tenant.org.uuid(), accounts: rows.into_iter().map(AccountPosture::from).collect() }))
}
