//! Recording events: one function for all, and one for each thing that happens, which knows what is told of it.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::catalogue::EventType;
use super::data;
use crate::audit::Actor;
use crate::db::api_key::ApiKey;
use crate::db::drift_snapshot::Counts;
use crate::db::event;
use crate::db::scan_run::ScanRun;
use crate::ids::{DriftSnapshotId, EventId, OrgId, WebhookEndpointId};

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

/// Data as they are stored and sent.
fn json(data: &impl Serialize) -> sqlx::Result<Value> {
    serde_json::to_value(data).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Records that a scan ended, by how it ended.
///
/// # Errors
/// The database's.
pub async fn record_scan_end(conn: &mut PgConnection, event_type: EventType, run: &ScanRun) -> sqlx::Result<EventId> {
    record(conn, run.org_id, event_type, &json(&data::Scan::of(run))?).await
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
    record(conn, drift.run.org_id, event_type, &json(&data::DriftFound::of(&drift))?).await
}

/// A change of an API key that an event tells of.
#[derive(Debug, Clone, Copy)]
pub struct KeyChange<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The key, as it is now.
    pub key: &'a ApiKey,
    /// Who changed it.
    pub actor: &'a Actor,
}

/// Records that a key was created or revoked.
///
/// # Errors
/// The database's.
pub async fn record_api_key(
    conn: &mut PgConnection,
    event_type: EventType,
    change: KeyChange<'_>,
) -> sqlx::Result<EventId> {
    record(conn, change.org_id, event_type, &json(&data::Key::of(&change))?).await
}

/// An endpoint that was switched off.
#[derive(Debug, Clone, Copy)]
pub struct Disabled<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The host of its URL, without anything else of it.
    pub url_host: &'a str,
    /// Why, for a person.
    pub reason: &'a str,
    /// Deliveries that failed since the last success; attempts at the same delivery count once.
    pub failed_deliveries: u64,
}

/// Records that an endpoint was switched off by us.
///
/// # Errors
/// The database's.
pub async fn record_webhook_disabled(conn: &mut PgConnection, disabled: Disabled<'_>) -> sqlx::Result<EventId> {
    let data = json(&data::WebhookDisabled::of(&disabled))?;
    record(conn, disabled.org_id, EventType::WebhookDisabled, &data).await
}

/// Records that somebody asked for a test of an endpoint.
///
/// # Errors
/// The database's.
pub async fn record_test_ping(
    conn: &mut PgConnection,
    org_id: OrgId,
    endpoint_id: WebhookEndpointId,
) -> sqlx::Result<EventId> {
    record(conn, org_id, EventType::TestPing, &json(&data::TestPing::of(endpoint_id))?).await
}
