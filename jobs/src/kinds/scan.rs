//! Reads a cloud account.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Job;
use crate::ids::{OrgId, ScanId};

/// Runs a pending [`ScanRun`](crate::db::scan_run::ScanRun). Enqueue it with [`crate::scans::request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The organisation.
    pub org_id: OrgId,
    /// The run.
    pub scan_id: ScanId,
}

impl Job for Scan {
    const KIND: &'static str = "scan";
    const QUEUE: &'static str = "scans";
    /// Throttling is waited out inside an attempt; attempts are for dying workers and clouds that are away for minutes.
    const MAX_ATTEMPTS: i16 = 5;
    /// An account of 100,000 resources takes minutes; one that takes longer than this hangs.
    const TIMEOUT: Duration = Duration::from_mins(30);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.scan_id.to_string())
    }
}
