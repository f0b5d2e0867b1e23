//! The data of each type of event. The comments here are what subscribers read: schemas and documentation are made of them.
//!
//! Ids, counts, short words and links; never a payload, never a secret.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::Actor;
use crate::db::api_key::ApiKey;
use crate::db::scan_run::ScanRun;
use crate::db::schedule::Schedule;
use crate::domain::{Environment, Provider, Role, ScanType};
use crate::ids::{
    ApiKeyId, CloudAccountId, CompliancePackId, DriftSnapshotId, OrgId, ScanId, ScheduleId, WebhookEndpointId,
};

use super::record::{Disabled, Drift, KeyChange};

/// A scan that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Scan {
    /// The scan.
    pub scan_id: ScanId,
    /// The cloud account that was scanned.
    pub cloud_account_id: CloudAccountId,
    /// The account's cloud.
    pub provider: Provider,
    /// What started the scan.
    pub scan_type: ScanType,
    /// Resources that were found; null when the scan failed.
    #[schemars(range(min = 0))]
    pub resource_count: Option<i32>,
    /// Parts of the account that could not be read.
    pub scan_error_count: u32,
    /// Why the scan failed, as a word for programs; null when it did not.
    pub error_class: Option<String>,
    /// Where the API shows the scan.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// Drift of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct DriftFound {
    /// The scan that it is the drift of.
    pub scan_id: ScanId,
    /// The cloud account that was scanned.
    pub cloud_account_id: CloudAccountId,
    /// This computation of the drift; computing it again gives another id.
    pub drift_id: DriftSnapshotId,
    /// Resources that differ from what is declared.
    #[schemars(range(min = 0))]
    pub changed_count: i32,
    /// Resources that are declared and not there.
    #[schemars(range(min = 0))]
    pub missing_count: i32,
    /// Resources that are there and declared by nobody.
    #[schemars(range(min = 0))]
    pub extra_count: i32,
    /// The highest severity of what differs: none, low, medium, high or critical.
    pub risk_level: String,
    /// Where the API shows the drift.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// A compliance pack that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct PackReady {
    /// The pack.
    pub pack_id: CompliancePackId,
    /// Where the time that it covers begins.
    pub period_start: DateTime<Utc>,
    /// Where the time that it covers ends.
    pub period_end: DateTime<Utc>,
    /// SHA-256 of the file, in hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// Where the API shows the pack.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// A compliance pack that could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct PackFailed {
    /// The pack.
    pub pack_id: CompliancePackId,
    /// Why, as a word for programs.
    pub error_class: String,
    /// Where the API shows the pack.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// A schedule that was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ScheduleDisabled {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The schedule's name.
    pub name: String,
    /// The cloud account that the schedule scans; null for all of them.
    pub cloud_account_id: Option<CloudAccountId>,
    /// Why it was switched off, for a person.
    pub reason: String,
    /// Firings in a row all of whose scans failed.
    pub consecutive_failures: u32,
    /// Where the API shows the schedule.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// A webhook endpoint that was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct WebhookDisabled {
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The host of the endpoint's URL. The rest is left out, as it may hold a credential.
    pub endpoint_url_host: String,
    /// Why it was switched off, for a person.
    pub reason: String,
    /// Deliveries that failed since the last success; attempts at the same delivery count once.
    pub failed_deliveries: u64,
    /// Where the API shows the endpoint.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// An API key that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Key {
    /// The key's id, which is not the key.
    pub api_key_id: ApiKeyId,
    /// The key's name.
    pub name: String,
    /// The key's first characters, by which people tell keys apart.
    pub key_prefix: String,
    /// The most that the key may do.
    pub role: Role,
    /// What the key may be used for: read, write.
    pub scopes: Vec<String>,
    /// What the key is meant for.
    pub environment: Environment,
    /// Who did it: a name or an email address.
    pub actor: String,
    /// Where the API shows the key.
    #[schemars(extend("format" = "uri-reference"))]
    pub url: String,
}

/// A test that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct TestPing {
    /// The endpoint that is tested.
    pub endpoint_id: WebhookEndpointId,
    /// A greeting.
    pub message: String,
}

/// The path of something of an organisation.
pub(super) fn path(org_id: OrgId, rest: std::fmt::Arguments<'_>) -> String {
    format!("/api/v2/orgs/{org_id}/{rest}")
}

impl Scan {
    /// The data of a run that ended.
    #[must_use]
    pub fn of(run: &ScanRun) -> Self {
        Self {
            scan_id: run.id,
            cloud_account_id: run.cloud_account_id,
            provider: run.provider,
            scan_type: run.scan_type,
            resource_count: run.resource_count,
            scan_error_count: u32::try_from(run.scan_errors.len()).unwrap_or(u32::MAX),
            error_class: run.error_class.clone(),
            url: path(run.org_id, format_args!("scans/{}", run.id)),
        }
    }
}

impl DriftFound {
    /// The data of a snapshot.
    #[must_use]
    pub fn of(drift: &Drift<'_>) -> Self {
        let Drift { run, snapshot_id, counts, risk_level } = drift;
        Self {
            scan_id: run.id,
            cloud_account_id: run.cloud_account_id,
            drift_id: *snapshot_id,
            changed_count: counts.changed,
            missing_count: counts.missing,
            extra_count: counts.extra,
            risk_level: (*risk_level).to_owned(),
            url: path(run.org_id, format_args!("scans/{}/drift", run.id)),
        }
    }
}

impl Key {
    /// The data of a change of a key.
    #[must_use]
    pub fn of(change: &KeyChange<'_>) -> Self {
        let ApiKey { id, name, key_prefix, role, scopes, environment, .. } = change.key;
        let Actor { display, .. } = change.actor;
        Self {
            api_key_id: *id,
            name: name.clone(),
            key_prefix: key_prefix.clone(),
            role: *role,
            scopes: scopes.clone(),
            environment: *environment,
            actor: display.clone(),
            url: path(change.org_id, format_args!("api-keys/{id}")),
        }
    }
}

impl ScheduleDisabled {
    /// The data of a schedule that was switched off.
    #[must_use]
    pub fn of(schedule: &Schedule) -> Self {
        Self {
            schedule_id: schedule.id,
            name: schedule.name.clone(),
            cloud_account_id: schedule.cloud_account_id,
            reason: schedule.disabled_reason.clone().unwrap_or_default(),
            consecutive_failures: schedule.consecutive_failures.unsigned_abs(),
            url: path(schedule.org_id, format_args!("schedules/{}", schedule.id)),
        }
    }
}

impl WebhookDisabled {
    /// The data of an endpoint that was switched off.
    #[must_use]
    pub fn of(disabled: &Disabled<'_>) -> Self {
        Self {
            endpoint_id: disabled.endpoint_id,
            endpoint_url_host: disabled.url_host.to_owned(),
            reason: disabled.reason.to_owned(),
            failed_deliveries: disabled.failed_deliveries,
            url: path(disabled.org_id, format_args!("webhook-endpoints/{}", disabled.endpoint_id)),
        }
    }
}

impl TestPing {
    /// The data of a test of an endpoint.
    #[must_use]
    pub fn of(endpoint_id: WebhookEndpointId) -> Self {
        Self { endpoint_id, message: "This is a test: it means that your endpoint can be reached.".to_owned() }
    }
}
