//! Works off a replay of many webhook deliveries.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::ids::{OrgId, WebhookReplayId};

/// Sends an endpoint's events again, slice by slice. Made by [`crate::webhooks::replay::many`] in the transaction that creates the
/// replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayWebhooks {
    /// The organisation.
    pub org_id: OrgId,
    /// The replay.
    pub replay_id: WebhookReplayId,
}

impl Job for ReplayWebhooks {
    const KIND: &'static str = "replay_webhooks";
    const QUEUE: &'static str = "maintenance";
    /// Each begins where the last one got to.
    const MAX_ATTEMPTS: i16 = 10;
    /// A replay that takes longer hands itself over before.
    const TIMEOUT: Duration = Duration::from_mins(5);
    /// Somebody watches it.
    const PRIORITY: i16 = priority::HIGH;

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.replay_id.to_string())
    }
}
