//! Reads one live resource again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::ids::{LiveResourceId, OrgId};
use crate::retry::Backoff;

/// Fetches one resource's properties from the cloud now. A request waits for it: its outcome is an [`Enriched`], also
/// when the cloud refused this one resource; the row tells the rest.
///
/// Failure classes: `not_found` (no such resource), `credential_malformed`, `account_mismatch`, `cloud_unreachable`,
/// `no_platform_identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrichResource {
    /// The organisation.
    pub org_id: OrgId,
    /// The resource.
    pub resource_id: LiveResourceId,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "enrichment_status", rename_all = "snake_case")]
pub enum Enriched {
    /// The row holds what the cloud says now.
    Enriched,
    /// The cloud refused, or the resource is gone; the row says so too.
    Failed {
        /// Stable name of the failure.
        error_class: String,
        /// Why, for a person.
        reason: String,
    },
}

impl Job for EnrichResource {
    const KIND: &'static str = "enrich_resource";
    const QUEUE: &'static str = "awaited";
    const MAX_ATTEMPTS: i16 = 2;
    /// A request waits 25 s.
    const TIMEOUT: Duration = Duration::from_secs(20);
    const BACKOFF: Backoff = Backoff::PROMPT;
    const PRIORITY: i16 = priority::AWAITED;
    const OUTCOME_TTL: Duration = Duration::from_mins(5);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.resource_id.to_string())
    }
}
