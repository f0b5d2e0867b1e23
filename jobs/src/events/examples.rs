//! Data as they may be, for schemas, documentation and the console: instances of the types that are really sent.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::data::{DriftFound, Key, PackFailed, PackReady, Scan, ScheduleDisabled, TestPing, WebhookDisabled, path};
use crate::domain::{Environment, Provider, Role, ScanType, Scope};
use crate::ids::{
    ApiKeyId, CloudAccountId, CompliancePackId, DriftSnapshotId, OrgId, ScanId, ScheduleId, WebhookEndpointId,
};

/// The moment of all examples, in microseconds since 1970: 2026-01-31, 09:26:53.589793.
const MOMENT: i64 = 1_769_851_613_589_793;

/// An id of the examples' moment: UUID v7 (RFC 9562) with a number in place of the random bits.
const fn id(number: u128) -> Uuid {
    let ms = (MOMENT / 1_000).unsigned_abs() as u128;
    Uuid::from_u128(ms << 80 | 0x7 << 76 | 0x8 << 60 | number)
}

const ORG: OrgId = OrgId(id(1));
const ACCOUNT: CloudAccountId = CloudAccountId(id(2));
const SCAN: ScanId = ScanId(id(3));
const DRIFT: DriftSnapshotId = DriftSnapshotId(id(4));
const PACK: CompliancePackId = CompliancePackId(id(5));
const SCHEDULE: ScheduleId = ScheduleId(id(6));
const ENDPOINT: WebhookEndpointId = WebhookEndpointId(id(7));
const KEY: ApiKeyId = ApiKeyId(id(8));

/// When all of it happened.
pub(super) fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(MOMENT).unwrap_or_default()
}

pub(super) fn scan_completed() -> Scan {
    Scan {
        scan_id: SCAN,
        cloud_account_id: ACCOUNT,
        provider: Provider::Aws,
        scan_type: ScanType::Scheduled,
        resource_count: Some(1_204),
        scan_error_count: 0,
        error_class: None,
        url: path(ORG, format_args!("scans/{SCAN}")),
    }
}

pub(super) fn scan_partial() -> Scan {
    Scan { resource_count: Some(1_198), scan_error_count: 2, ..scan_completed() }
}

pub(super) fn scan_failed() -> Scan {
    Scan {
        resource_count: None,
        error_class: Some("credential_invalid".to_owned()),
        scan_type: ScanType::Manual,
        ..scan_completed()
    }
}

pub(super) fn drift_detected() -> DriftFound {
    DriftFound {
        scan_id: SCAN,
        cloud_account_id: ACCOUNT,
        drift_id: DRIFT,
        changed_count: 3,
        missing_count: 1,
        extra_count: 12,
        risk_level: "high".to_owned(),
        url: path(ORG, format_args!("scans/{SCAN}/drift")),
    }
}

pub(super) fn drift_cleared() -> DriftFound {
    DriftFound { changed_count: 0, missing_count: 0, extra_count: 0, risk_level: "none".to_owned(), ..drift_detected() }
}

pub(super) fn pack_ready() -> PackReady {
    PackReady {
        pack_id: PACK,
        period_start: moment() - TimeDelta::days(30),
        period_end: moment(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        size_bytes: 4_812_339,
        url: path(ORG, format_args!("audit-exports/{PACK}")),
    }
}

pub(super) fn pack_failed() -> PackFailed {
    PackFailed {
        pack_id: PACK,
        error_class: "timeout".to_owned(),
        url: path(ORG, format_args!("audit-exports/{PACK}")),
    }
}

pub(super) fn schedule_disabled() -> ScheduleDisabled {
    ScheduleDisabled {
        schedule_id: SCHEDULE,
        name: "production, every night".to_owned(),
        cloud_account_id: Some(ACCOUNT),
        reason: "all scans of the last 5 firings failed, lastly: the account's credential is refused".to_owned(),
        consecutive_failures: 5,
        url: path(ORG, format_args!("schedules/{SCHEDULE}")),
    }
}

pub(super) fn webhook_disabled() -> WebhookDisabled {
    WebhookDisabled {
        endpoint_id: ENDPOINT,
        endpoint_url_host: "hooks.example.com".to_owned(),
        reason: "nothing was delivered for 5 days, and 73 deliveries failed".to_owned(),
        failed_deliveries: 73,
        url: path(ORG, format_args!("webhook-endpoints/{ENDPOINT}")),
    }
}

pub(super) fn key() -> Key {
    Key {
        api_key_id: KEY,
        name: "ci".to_owned(),
        key_prefix: "pl_live_3kTq9XbZ".to_owned(),
        role: Role::Member,
        scopes: vec![Scope::Read.to_string(), Scope::Write.to_string()],
        environment: Environment::Live,
        actor: "ada@example.com".to_owned(),
        url: path(ORG, format_args!("api-keys/{KEY}")),
    }
}

pub(super) fn test_ping() -> TestPing {
    TestPing::of(ENDPOINT)
}
