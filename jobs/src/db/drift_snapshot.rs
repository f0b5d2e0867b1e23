//! The drift of a scan, in numbers; its items are in [`super::drift_item`]. A scan has one snapshot: computing again
//! replaces it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::ids::{CloudAccountId, DriftSnapshotId, OrgId, ScanId};

/// The drift of one scan.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftSnapshot {
    /// Its id.
    pub id: DriftSnapshotId,
    /// The organisation.
    pub org_id: OrgId,
    /// The scan.
    pub scan_run_id: ScanId,
    /// The scan's account.
    pub cloud_account_id: CloudAccountId,
    /// The counts.
    pub counts: Counts,
    /// Matched and changed of all live, in percent with one decimal.
    pub coverage_pct: f64,
    /// `none`, `low`, `medium`, `high` or `critical`: the highest of the items.
    pub risk_level: String,
    /// The rest of the summary: unchecked types, unknown slices, what noise rules hid, sources left out.
    pub report: Value,
    /// When it was computed.
    pub created_at: DateTime<Utc>,
}

/// The counts of a snapshot; see `drift::compare::Counts` for what each means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Declared resource instances.
    pub total_iac: i32,
    /// Live resources that are the customer's.
    pub total_live: i32,
    /// Declared and live alike.
    pub matched: i32,
    /// Declared and live, but different.
    pub changed: i32,
    /// Declared, not live.
    pub missing: i32,
    /// Live, not declared.
    pub extra: i32,
    /// Declared, of a type that has no reader.
    pub unchecked: i32,
    /// Declared in a part of the cloud that was not read.
    pub unknown: i32,
    /// Instances of the states that could not be read.
    pub parse_failures: i32,
}

impl Counts {
    /// Whether anything differs.
    #[must_use]
    pub fn has_drift(&self) -> bool {
        self.changed + self.missing + self.extra > 0
    }
}

/// A row, flat as the table is.
struct Row {
    id: DriftSnapshotId,
    org_id: OrgId,
    scan_run_id: ScanId,
    cloud_account_id: CloudAccountId,
    total_iac: i32,
    total_live: i32,
    matched_count: i32,
    changed_count: i32,
    missing_count: i32,
    extra_count: i32,
    unchecked_count: i32,
    unknown_count: i32,
    parse_failure_count: i32,
    coverage_pct: f64,
    risk_level: String,
    report: Value,
    created_at: DateTime<Utc>,
}

impl From<Row> for DriftSnapshot {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            org_id: row.org_id,
            scan_run_id: row.scan_run_id,
            cloud_account_id: row.cloud_account_id,
            counts: Counts {
                total_iac: row.total_iac,
                total_live: row.total_live,
                matched: row.matched_count,
                changed: row.changed_count,
                missing: row.missing_count,
                extra: row.extra_count,
                unchecked: row.unchecked_count,
                unknown: row.unknown_count,
                parse_failures: row.parse_failure_count,
            },
            coverage_pct: row.coverage_pct,
            risk_level: row.risk_level,
            report: row.report,
            created_at: row.created_at,
        }
    }
}

/// Expands to a checked query of whole rows.
macro_rules! snapshots {
    ($after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: DriftSnapshotId", org_id AS "org_id: OrgId", scan_run_id AS "scan_run_id: ScanId",
                cloud_account_id AS "cloud_account_id: CloudAccountId", total_iac, total_live, matched_count, changed_count,
                missing_count, extra_count, unchecked_count, unknown_count, parse_failure_count, coverage_pct, risk_level,
                report, created_at FROM drift_snapshot "#
                + $after
            $(, $arg)*
        )
    };
}

/// The drift of a scan, if it was computed.
///
/// # Errors
/// The database's.
pub async fn of_scan(conn: &mut PgConnection, org_id: OrgId, scan_id: ScanId) -> sqlx::Result<Option<DriftSnapshot>> {
    let row = snapshots!("WHERE org_id = $1 AND scan_run_id = $2", org_id.uuid(), scan_id.uuid())
        .fetch_optional(conn)
        .await?;
    Ok(row.map(DriftSnapshot::from))
}

/// The newest drift of an account among the scans of the same regions that began before a given one.
///
/// # Errors
/// The database's.
pub async fn before(
    conn: &mut PgConnection,
    org_id: OrgId,
    account_id: CloudAccountId,
    scan_id: ScanId,
) -> sqlx::Result<Option<DriftSnapshot>> {
    let row = snapshots!(
        "WHERE org_id = $1 AND cloud_account_id = $2 AND scan_run_id <> $3
           AND created_at < coalesce((SELECT d.created_at FROM drift_snapshot d WHERE d.scan_run_id = $3), 'infinity')
           AND EXISTS (SELECT FROM scan_run was, scan_run now
                        WHERE was.id = scan_run_id AND now.id = $3
                          AND was.filter_regions @> now.filter_regions AND was.filter_regions <@ now.filter_regions)
         ORDER BY created_at DESC, id DESC LIMIT 1",
        org_id.uuid(),
        account_id.uuid(),
        scan_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(DriftSnapshot::from))
}

/// A snapshot to be stored.
#[derive(Debug, Clone)]
pub struct NewSnapshot<'a> {
    /// Its id.
    pub id: DriftSnapshotId,
    /// The organisation.
    pub org_id: OrgId,
    /// The scan.
    pub scan_run_id: ScanId,
    /// The scan's account.
    pub cloud_account_id: CloudAccountId,
    /// The counts.
    pub counts: Counts,
    /// In percent.
    pub coverage_pct: f64,
    /// The highest severity, or `none`.
    pub risk_level: &'a str,
    /// The rest of the summary.
    pub report: &'a Value,
    /// Whether the scan was of every region.
    pub every_region: bool,
}

/// Stores a snapshot in the place of the scan's former one, whose items go with it.
///
/// # Errors
/// The database's.
pub async fn replace(conn: &mut PgConnection, new: &NewSnapshot<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM drift_snapshot WHERE org_id = $1 AND scan_run_id = $2",
        new.org_id.uuid(),
        new.scan_run_id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO drift_snapshot (id, org_id, scan_run_id, cloud_account_id, total_iac, total_live, matched_count,
                                     changed_count, missing_count, extra_count, unchecked_count, unknown_count,
                                     parse_failure_count, coverage_pct, risk_level, report, every_region)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        new.id.uuid(),
        new.org_id.uuid(),
        new.scan_run_id.uuid(),
        new.cloud_account_id.uuid(),
        new.counts.total_iac,
        new.counts.total_live,
        new.counts.matched,
        new.counts.changed,
        new.counts.missing,
        new.counts.extra,
        new.counts.unchecked,
        new.counts.unknown,
        new.counts.parse_failures,
        new.coverage_pct,
        new.risk_level,
        new.report,
        new.every_region,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How an account stands by its newest drift of all regions; where there was never one, by the newest of some.
#[derive(Debug, Clone, PartialEq)]
pub struct Posture {
    /// The account.
    pub account_id: CloudAccountId,
    /// Name that people see.
    pub display_name: String,
    /// The scan that was compared; none of these is known before the first.
    pub scan_id: Option<ScanId>,
    /// In percent.
    pub coverage_pct: Option<f64>,
    /// The highest severity, or `none`.
    pub risk_level: Option<String>,
    /// Live and not declared.
    pub undeclared_count: Option<i32>,
    /// Declared and live, but different.
    pub changed_count: Option<i32>,
    /// Declared, not live.
    pub missing_count: Option<i32>,
    /// When it was computed.
    pub computed_at: Option<DateTime<Utc>>,
}

/// How the accounts of an organisation stand, the 1,000 oldest, oldest first.
///
/// # Errors
/// The database's.
pub async fn posture(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<Vec<Posture>> {
    sqlx::query_as!(
        Posture,
        r#"SELECT a.id AS "account_id: CloudAccountId", a.display_name, d.scan_run_id AS "scan_id?: ScanId",
                  d.coverage_pct AS "coverage_pct?", d.risk_level AS "risk_level?", d.extra_count AS "undeclared_count?",
                  d.changed_count AS "changed_count?", d.missing_count AS "missing_count?", d.created_at AS "computed_at?"
             FROM cloud_account a
             LEFT JOIN LATERAL (SELECT * FROM drift_snapshot s WHERE s.cloud_account_id = a.id
                                 ORDER BY s.every_region DESC, s.created_at DESC, s.id DESC LIMIT 1) d ON true
            WHERE a.org_id = $1
            ORDER BY a.created_at, a.id LIMIT 1000"#,
        org_id.uuid(),
    )
    .fetch_all(conn)
    .await
}
