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
use crate::db::schedule::{self, Schedule};
use crate::db::webhook_endpoint::About;
use crate::ids::{CloudAccountId, DriftSnapshotId, EventId, OrgId, WebhookEndpointId};
use crate::webhooks::fan_out::{Recorded, fan_out};
use crate::webhooks::subscription;

/// An event to record.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// Where it happened.
    pub org_id: OrgId,
    /// What happened.
    pub event_type: EventType,
    /// The account that it is about, if it is about one.
    pub cloud_account_id: Option<CloudAccountId>,
    /// What is told of it.
    pub data: &'a Value,
    /// Endpoints that are told whatever they have asked for.
    pub also: &'a [WebhookEndpointId],
}

/// Who is told of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Every endpoint that asked for it.
    Subscribers,
    /// The same but for this one, which it is about.
    SubscribersBut(WebhookEndpointId),
    /// Nobody; the caller does.
    Nobody,
}

/// Records an event in the caller's transaction, and sends it to whoever shall be told. It is kept for replays also where nobody
/// is.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut PgConnection, new: NewEvent<'_>, tell: Tell) -> sqlx::Result<EventId> {
    let id = EventId::new();
    event::insert(conn, id, &new).await?;
    let except = match tell {
        Tell::Nobody => return Ok(id),
        Tell::Subscribers => None,
        Tell::SubscribersBut(endpoint) => Some(endpoint),
    };
    let patterns = subscription::matching(new.event_type);
    let about = About { patterns: &patterns, cloud_account_id: new.cloud_account_id, except, also: new.also };
    fan_out(conn, Recorded { org_id: new.org_id, id, event_type: new.event_type.as_str() }, about).await?;
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
    let data = &json(&data::Scan::of(run))?;
    record_of_run(conn, event_type, run, data).await
}

/// Records what is about a run. Its schedule may name endpoints that are told of it.
async fn record_of_run(
    conn: &mut PgConnection,
    event_type: EventType,
    run: &ScanRun,
    data: &Value,
) -> sqlx::Result<EventId> {
    let also = match run.schedule_id {
        Some(id) => &schedule::notified(conn, run.org_id, id).await?[..],
        None => &[],
    };
    let new = NewEvent { org_id: run.org_id, event_type, cloud_account_id: Some(run.cloud_account_id), data, also };
    record(conn, new, Tell::Subscribers).await
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
    let data = &json(&data::DriftFound::of(&drift))?;
    record_of_run(conn, event_type, drift.run, data).await
}

/// Records that a schedule was switched off by us.
///
/// # Errors
/// The database's.
pub async fn record_schedule_disabled(conn: &mut PgConnection, schedule: &Schedule) -> sqlx::Result<EventId> {
    let data = &json(&data::ScheduleDisabled::of(schedule))?;
    let new = NewEvent {
        org_id: schedule.org_id,
        event_type: EventType::ScheduleDisabled,
        cloud_account_id: schedule.cloud_account_id,
        data,
        also: &schedule.notify_webhook_config_ids,
    };
    record(conn, new, Tell::Subscribers).await
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
    let data = &json(&data::Key::of(&change))?;
    let new = NewEvent { org_id: change.org_id, event_type, cloud_account_id: None, data, also: &[] };
    record(conn, new, Tell::Subscribers).await
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

/// Records that an endpoint was switched off by us, and tells the others.
///
/// # Errors
/// The database's.
pub async fn record_webhook_disabled(conn: &mut PgConnection, disabled: Disabled<'_>) -> sqlx::Result<EventId> {
    let data = &json(&data::WebhookDisabled::of(&disabled))?;
    let event_type = EventType::WebhookDisabled;
    let new = NewEvent { org_id: disabled.org_id, event_type, cloud_account_id: None, data, also: &[] };
    record(conn, new, Tell::SubscribersBut(disabled.endpoint_id)).await
}

/// Records that somebody asked for a test of an endpoint, which is for that one alone: the caller sends it.
///
/// # Errors
/// The database's.
pub async fn record_test_ping(
    conn: &mut PgConnection,
    org_id: OrgId,
    endpoint_id: WebhookEndpointId,
) -> sqlx::Result<EventId> {
    let data = &json(&data::TestPing::of(endpoint_id))?;
    let new = NewEvent { org_id, event_type: EventType::TestPing, cloud_account_id: None, data, also: &[] };
    record(conn, new, Tell::Nobody).await
}
