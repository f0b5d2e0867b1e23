//! The report into the database, with the events that follow from it.

use drift::compare::{Filtered, Item, Kind, Report, RiskLevel};
use jobs::db::drift_item::{self, NewItem};
use jobs::db::drift_snapshot::{self, Counts, DriftSnapshot, NewSnapshot};
use jobs::db::scan_run::{self, DriftCounts, ScanRun};
use jobs::events::{self, EventType};
use jobs::ids::DriftSnapshotId;
use jobs::queue::JobError;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::compare::Compared;
use crate::runtime::JobContext;

/// Items written in one statement.
const BATCH: usize = 500;
/// How many of the differences that rules hid are kept with the snapshot; all are counted.
const LISTED: usize = 1_000;

/// Stores a report in the place of the scan's former one and ends the drift, unless another job computes it by now.
pub(super) async fn store(
    cx: &JobContext,
    conn: &mut PgConnection,
    run: &ScanRun,
    compared: &Compared,
) -> Result<(), JobError> {
    let report = &compared.report;
    let counts = counts(report);
    let risk_level = risk_level(report.risk_level);
    let mut tx = conn.begin().await?;
    cx.hold(&mut tx).await?;
    let own_former = drift_snapshot::of_scan(&mut tx, run.org_id, run.id).await?;
    let former = match &own_former {
        Some(_) => None,
        None => drift_snapshot::before(&mut tx, run.org_id, run.cloud_account_id, run.id).await?,
    };
    let id = DriftSnapshotId::new();
    let snapshot = NewSnapshot {
        id,
        org_id: run.org_id,
        scan_run_id: run.id,
        cloud_account_id: run.cloud_account_id,
        counts,
        coverage_pct: report.coverage_pct,
        risk_level,
        report: &summary(compared),
        every_region: run.filter_regions.is_empty(),
    };
    drift_snapshot::replace(&mut tx, &snapshot).await?;
    let mut ordinal = 0;
    for batch in report.items.chunks(BATCH) {
        let items = batch.iter().map(new_item).collect::<Result<Vec<_>, _>>()?;
        drift_item::insert_many(&mut tx, run.org_id, id, ordinal, &items).await?;
        ordinal = ordinal.saturating_add(i32::try_from(batch.len()).unwrap_or(i32::MAX));
    }
    let ended = DriftCounts { extra: counts.extra, changed: counts.changed, missing: counts.missing };
    if !scan_run::finish_drift(&mut tx, run.org_id, run.id, cx.id, ended).await? {
        return Err(JobError::cancel(format!("another job computes the drift of scan {}", run.id)));
    }
    if let Some(event) = event(own_former.as_ref(), former.as_ref(), &counts) {
        let drift = events::Drift { run, snapshot_id: id, counts, risk_level };
        events::record_drift(&mut tx, event, drift).await?;
    }
    tx.commit().await?;
    tracing::info!(
        scan = %run.id, changed = counts.changed, missing = counts.missing, extra = counts.extra, "drift computed"
    );
    Ok(())
}

/// What subscribers are told. Computing a scan again tells only what has changed by it: state that was refreshed since.
fn event(own_former: Option<&DriftSnapshot>, former: Option<&DriftSnapshot>, now: &Counts) -> Option<EventType> {
    let differing = |counts: &Counts| (counts.changed, counts.missing, counts.extra);
    if own_former.is_some_and(|own| differing(&own.counts) == differing(now)) {
        return None;
    }
    if now.has_drift() {
        return Some(EventType::DriftDetected);
    }
    let before = own_former.or(former)?;
    before.counts.has_drift().then_some(EventType::DriftCleared)
}

fn counts(report: &Report) -> Counts {
    let count = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let counts = &report.counts;
    Counts {
        total_iac: count(counts.total_iac),
        total_live: count(counts.total_live),
        matched: count(counts.matched_count),
        changed: count(counts.changed_count),
        missing: count(counts.missing_count),
        extra: count(counts.extra_count),
        unchecked: count(counts.unchecked_count),
        unknown: count(counts.unknown_count),
        parse_failures: count(counts.parse_failure_count),
    }
}

fn risk_level(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::None => "none",
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
        RiskLevel::Critical => "critical",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Changed => "changed",
        Kind::Missing => "missing",
        Kind::Extra => "extra",
    }
}

fn new_item(item: &Item) -> Result<NewItem, JobError> {
    let text = serde_json::to_string(item).map_err(|error| JobError::fail("item_unwritable", error))?;
    Ok(NewItem {
        kind: kind(item.kind),
        severity: item.severity.as_str(),
        provider_type: item.provider_type.clone(),
        item: text,
    })
}

/// What stands beside the counts: why some declared resources were not compared, and what rules hid.
fn summary(compared: &Compared) -> Value {
    let report = &compared.report;
    let filtered: Vec<&Filtered> = report.filtered.iter().take(LISTED).collect();
    let sources: Vec<Value> = compared
        .sources
        .iter()
        .map(|source| {
            json!({
                "state_source_id": source.id,
                "snapshot_id": source.latest_snapshot_id,
                "fetched_at": source.last_fetched_at,
                "last_fetch_error": source.last_fetch_error,
            })
        })
        .collect();
    json!({
        "unchecked_types": report.unchecked_types,
        "unknown_reasons": report.unknown_reasons,
        "noise_filtered": report.counts.noise_filtered,
        "not_extra_count": report.counts.not_extra_count,
        "filtered_count": report.filtered.len(),
        "filtered": filtered,
        "unreadable": compared.unreadable,
        "state_sources": sources,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changed: i32) -> Counts {
        Counts { changed, ..Counts::default() }
    }

    fn snapshot(counts: Counts) -> DriftSnapshot {
        DriftSnapshot {
            id: DriftSnapshotId::new(),
            org_id: jobs::ids::OrgId::new(),
            scan_run_id: jobs::ids::ScanId::new(),
            cloud_account_id: jobs::ids::CloudAccountId::new(),
            counts,
            coverage_pct: 100.0,
            risk_level: "none".to_owned(),
            report: Value::Null,
            created_at: chrono::Utc::now(),
        }
    }

    #[test]
    fn drift_is_told_once_a_scan_and_its_end_once() {
        let (none, some) = (snapshot(with(0)), snapshot(with(1)));
        assert_eq!(event(None, None, &with(1)), Some(EventType::DriftDetected));
        assert_eq!(event(None, Some(&some), &with(1)), Some(EventType::DriftDetected));
        assert_eq!(event(None, Some(&some), &with(0)), Some(EventType::DriftCleared));
        assert_eq!(event(None, Some(&none), &with(0)), None);
        assert_eq!(event(None, None, &with(0)), None);
    }

    #[test]
    fn computing_again_tells_only_news() {
        let (none, some) = (snapshot(with(0)), snapshot(with(1)));
        assert_eq!(event(Some(&some), None, &with(1)), None);
        assert_eq!(event(Some(&some), None, &with(2)), Some(EventType::DriftDetected));
        assert_eq!(event(Some(&some), None, &with(0)), Some(EventType::DriftCleared));
        assert_eq!(event(Some(&none), None, &with(0)), None);
    }
}
