//! Sends an event to an endpoint.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Job;
use crate::ids::{DeliveryId, OrgId, WebhookEndpointId};
use crate::retry::Backoff;

/// Between two attempts. With the first one at once, ten attempts in a bit more than three days.
pub const DELAYS: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// Makes one attempt at a delivery, see [`crate::webhooks`]. Made in the transaction that records the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverWebhook {
    /// The organisation.
    pub org_id: OrgId,
    /// To whom.
    pub endpoint_id: WebhookEndpointId,
    /// What.
    pub delivery_id: DeliveryId,
}

impl Job for DeliverWebhook {
    const KIND: &'static str = "deliver_webhook";
    const QUEUE: &'static str = "webhooks";
    const MAX_ATTEMPTS: i16 = 10;
    /// The request has 15 s; the rest is for reading what to send and for writing down what came of it.
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::Table { delays: DELAYS, jitter: 0.2 };
    /// They wait for somebody else's server, up to 15 s where that hangs.
    const PARALLEL: usize = 64;

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.delivery_id.to_string())
    }

    fn group(&self) -> Option<String> {
        Some(self.endpoint_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_but_the_first_has_its_delay() {
        assert_eq!(DELAYS.len() + 1, usize::from(DeliverWebhook::MAX_ATTEMPTS.unsigned_abs()));
    }
}
