//! `GET /orgs/{id}/scans/{scan_id}/drift`

use chrono::{DateTime, Utc};
use jobs::db::drift_snapshot::DriftSnapshot;
use jobs::db::{drift_item, drift_snapshot, scan_run};
use jobs::ids::{OrgId, ScanId};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Page, PathId};

/// Items of a page: as many as there can be, so that only who pages has to know of pages, with an end to it.
pub(super) type ItemsPage = Page<(), 10_000, 10_000>;

/// The drift of one scan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Drift {
    id: Uuid,
    scan_run_id: Uuid,
    total_iac: i32,
    total_live: i32,
    matched_count: i32,
    changed_count: i32,
    missing_count: i32,
    extra_count: i32,
    /// Declared resources of types that cannot be read; neither matched nor missing.
    unchecked_count: i32,
    /// Declared resources in a part of the cloud that could not be read; neither matched nor missing.
    unknown_count: i32,
    parse_failure_count: i32,
    /// Matched and changed of all live, in percent with one decimal.
    coverage_pct: f64,
    /// `none`, `low`, `medium`, `high` or `critical`.
    risk_level: String,
    /// Unchecked types with counts, parts that were not read, and what noise rules hid.
    report: Value,
    narrative: Option<String>,
    narrative_status: Option<String>,
    created_at: DateTime<Utc>,
    /// The differing resources: changed, missing, extra.
    #[salvo(schema(value_type = Vec<Object>))]
    items: Vec<Box<RawValue>>,
    /// All items, of which `items` is a page.
    items_total: i32,
    limit: i64,
    offset: i64,
}

/// Drift snapshot of one scan
///
/// 404 until drift was computed, which a worker does after each scan. `limit` and `offset` page through the items.
#[endpoint(operation_id = "get_scan_drift", tags("drift"))]
pub(super) async fn get_scan_drift(
    tenant: Tenant<Viewer>,
    scan_id: PathId<ScanId>,
    page: ItemsPage,
) -> Result<Json<Drift>, Problem> {
    let mut tx = tenant.app.begin().await?;
    if let Some(drift) = load(&mut tx, tenant.org, scan_id.0, page).await? {
        return Ok(Json(drift));
    }
    let known = scan_run::get(&mut tx, tenant.org, scan_id.0).await?;
    Err(Problem::not_found(known.map_or("scan", |_| "drift: it has not been computed for this scan")))
}

/// A scan's drift with a page of its items; none where it was not computed.
pub(super) async fn load(
    conn: &mut PgConnection,
    org: OrgId,
    scan: ScanId,
    page: ItemsPage,
) -> Result<Option<Drift>, Problem> {
    let Some(snapshot) = drift_snapshot::of_scan(conn, org, scan).await? else {
        return Ok(None);
    };
    let items = drift_item::list(conn, org, snapshot.id, page.rows()).await?;
    Ok(Some(shown(snapshot, items.into_iter().map(|item| item.0).collect(), page)))
}

fn shown(snapshot: DriftSnapshot, items: Vec<Box<RawValue>>, page: ItemsPage) -> Drift {
    let counts = snapshot.counts;
    Drift {
        id: snapshot.id.uuid(),
        scan_run_id: snapshot.scan_run_id.uuid(),
        total_iac: counts.total_iac,
        total_live: counts.total_live,
        matched_count: counts.matched,
        changed_count: counts.changed,
        missing_count: counts.missing,
        extra_count: counts.extra,
        unchecked_count: counts.unchecked,
        unknown_count: counts.unknown,
        parse_failure_count: counts.parse_failures,
        coverage_pct: snapshot.coverage_pct,
        risk_level: snapshot.risk_level,
        report: snapshot.report,
        narrative: None,
        narrative_status: None,
        created_at: snapshot.created_at,
        items,
        items_total: counts.changed + counts.missing + counts.extra,
        limit: page.limit,
        offset: page.offset,
    }
}
