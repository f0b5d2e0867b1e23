//! Compares what a scan found with what Terraform declares.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::ids::{OrgId, ScanId};

/// Computes the drift of a done scan. Enqueue it with [`crate::scans::request_drift`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeDrift {
    /// The organisation.
    pub org_id: OrgId,
    /// The scan.
    pub scan_id: ScanId,
}

impl Job for ComputeDrift {
    const KIND: &'static str = "compute_drift";
    const QUEUE: &'static str = "drift";
    const MAX_ATTEMPTS: i16 = 5;
    const TIMEOUT: Duration = Duration::from_mins(10);
    /// The scan's next run waits for it.
    const PRIORITY: i16 = priority::HIGH;
    /// A request may wait for it.
    const OUTCOME_TTL: Duration = Duration::from_mins(5);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.scan_id.to_string())
    }
}
