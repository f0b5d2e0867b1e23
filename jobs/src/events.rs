//! What happens in an organisation and may be told to its subscribers, as one catalogue of types.
//!
//! An event is recorded in the transaction that makes it true: a scan that is done and an event that says so exist
//! together or not at all. Its data are ids, counts and links, never payloads: whoever is told asks the API for the rest.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::db::drift_snapshot::Counts;
use crate::db::event;
use crate::db::scan_run::ScanRun;
use crate::ids::{DriftSnapshotId, EventId, OrgId};

/// A type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// A scan read everything that it was asked to.
    ScanCompleted,
    /// A scan ended, but parts of the account could not be read.
    ScanPartial,
    /// A scan came to nothing.
    ScanFailed,
    /// Cloud and Terraform differ.
    DriftDetected,
    /// They differed at the scan before and no longer do.
    DriftCleared,
}

impl EventType {
    /// Every type.
    pub const ALL: &'static [Self] =
        &[Self::ScanCompleted, Self::ScanPartial, Self::ScanFailed, Self::DriftDetected, Self::DriftCleared];

    /// The dotted name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScanCompleted => "scan.completed",
            Self::ScanPartial => "scan.partial",
            Self::ScanFailed => "scan.failed",
            Self::DriftDetected => "drift.detected",
            Self::DriftCleared => "drift.cleared",
        }
    }

    /// When it happens, in a sentence for subscribers.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::ScanCompleted => "A scan ended and read everything that it was asked to.",
            Self::ScanPartial => "A scan ended, but parts of the account could not be read.",
            Self::ScanFailed => "A scan came to nothing.",
            Self::DriftDetected => "Drift of a scan was computed and cloud and Terraform differ.",
            Self::DriftCleared => {
                "Drift of a scan was computed, nothing differs, and at the scan before something did."
            }
        }
    }
}

/// Records an event in the caller's transaction.
///
/// # Errors
/// The database's.
pub async fn record(
    conn: &mut PgConnection,
    org_id: OrgId,
    event_type: EventType,
    data: &Value,
) -> sqlx::Result<EventId> {
    let id = EventId::new();
    event::insert(conn, id, org_id, event_type.as_str(), data).await?;
    Ok(id)
}

/// Data of `scan.*`.
#[derive(Debug, Serialize)]
struct ScanData<'a> {
    scan_id: String,
    cloud_account_id: String,
    provider: &'a str,
    scan_type: &'a str,
    resource_count: Option<i32>,
    scan_error_count: usize,
    error_class: Option<&'a str>,
    url: String,
}

/// Data of `drift.*`.
#[derive(Debug, Serialize)]
struct DriftData<'a> {
    scan_id: String,
    cloud_account_id: String,
    drift_id: String,
    changed_count: i32,
    missing_count: i32,
    extra_count: i32,
    risk_level: &'a str,
    url: String,
}

fn data(of: &impl Serialize) -> sqlx::Result<Value> {
    serde_json::to_value(of).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Records that a scan ended, by how it ended.
///
/// # Errors
/// The database's.
pub async fn record_scan_end(conn: &mut PgConnection, event_type: EventType, run: &ScanRun) -> sqlx::Result<EventId> {
    let data = data(&ScanData {
        scan_id: run.id.to_string(),
        cloud_account_id: run.cloud_account_id.to_string(),
        provider: run.provider.as_str(),
        scan_type: run.scan_type.as_str(),
        resource_count: run.resource_count,
        scan_error_count: run.scan_errors.len(),
        error_class: run.error_class.as_deref(),
        url: format!("/api/v2/orgs/{}/scans/{}", run.org_id, run.id),
    })?;
    record(conn, run.org_id, event_type, &data).await
}

/// The drift that an event tells of.
#[derive(Debug, Clone, Copy)]
pub struct Drift<'a> {
    /// The scan.
    pub run: &'a ScanRun,
    /// The snapshot.
    pub snapshot_id: DriftSnapshotId,
    /// Its counts.
    pub counts: Counts,
    /// Its highest severity, or `none`.
    pub risk_level: &'a str,
}

/// Records that drift was found, or is no longer there.
///
/// # Errors
/// The database's.
pub async fn record_drift(conn: &mut PgConnection, event_type: EventType, drift: Drift<'_>) -> sqlx::Result<EventId> {
    let run = drift.run;
    let data = data(&DriftData {
        scan_id: run.id.to_string(),
        cloud_account_id: run.cloud_account_id.to_string(),
        drift_id: drift.snapshot_id.to_string(),
        changed_count: drift.counts.changed,
        missing_count: drift.counts.missing,
        extra_count: drift.counts.extra,
        risk_level: drift.risk_level,
        url: format!("/api/v2/orgs/{}/scans/{}/drift", run.org_id, run.id),
    })?;
    record(conn, run.org_id, event_type, &data).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_dotted_and_distinct() {
        let mut names: Vec<&str> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventType::ALL.len());
    }
}
