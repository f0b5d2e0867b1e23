//! Fetches and parses a Terraform state.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::ids::{OrgId, StateSnapshotId, StateSourceId};
use crate::retry::Backoff;

/// Reads a state source anew. A request waits for it: its outcome is a [`Refreshed`].
///
/// Failure classes: `not_found` (no such source), `upload_required` (kind upload without an artifact), `kind_unsupported`,
/// `config_invalid`; of the state, with the field `state` in the details: [`STATE_FAULTS`]; of the place where it lives:
/// [`BACKEND_FAULTS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshStateSource {
    /// The organisation.
    pub org_id: OrgId,
    /// The source.
    pub state_source_id: StateSourceId,
    /// Kind `upload`: where the API put the bytes ([`crate::artifacts`]); the job deletes them when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// What reading a state gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// SHA-256 of the uncompressed bytes, hex.
    pub content_hash: String,
    /// When it was read.
    pub last_fetched_at: DateTime<Utc>,
    /// Whether the content is another than that of the latest snapshot before.
    pub refreshed: bool,
    /// Managed resource instances in it.
    pub resource_count: i32,
    /// The snapshot that holds it.
    pub snapshot_id: StateSnapshotId,
}

/// Failure classes of a state that is at fault itself.
pub const STATE_FAULTS: [&str; 8] = [
    "state_empty",
    "state_not_json",
    "state_truncated",
    "state_encrypted",
    "state_version_unsupported",
    "state_too_large",
    "state_compression",
    "state_malformed",
];

/// Failure classes of the place where a state lives, and of its bytes on their way.
pub const BACKEND_FAULTS: [&str; 9] = [
    "state_missing",
    "state_changed",
    "state_unreadable",
    "artifact_unavailable",
    "backend_denied",
    "backend_credentials",
    "backend_throttled",
    "backend_unreachable",
    "backend_failed",
];

impl Job for RefreshStateSource {
    const KIND: &'static str = "refresh_state_source";
    const QUEUE: &'static str = "awaited";
    const MAX_ATTEMPTS: i16 = 3;
    /// 256 MB over a slow line.
    const TIMEOUT: Duration = Duration::from_mins(5);
    const BACKOFF: Backoff = Backoff::PROMPT;
    const PRIORITY: i16 = priority::AWAITED;
    const OUTCOME_TTL: Duration = Duration::from_mins(5);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }
}
