//! Works off a batch of replays.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::ids::ReplayBatchId;

/// Replays the dead jobs of a [`ReplayBatch`](crate::queue::replay_batch::ReplayBatch), slice by slice. Made by
/// [`crate::dead_letters::replay_many`] in the transaction that creates the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayDeadJobs {
    /// The batch.
    pub batch_id: ReplayBatchId,
}

impl Job for ReplayDeadJobs {
    const KIND: &'static str = "replay_dead_jobs";
    const QUEUE: &'static str = "maintenance";
    /// Each begins where the last one got to, so only a batch that gets nowhere spends them all; its dead letter is replayed to
    /// go on.
    const MAX_ATTEMPTS: i16 = 10;
    /// A batch that takes longer hands itself over before.
    const TIMEOUT: Duration = Duration::from_mins(5);
    /// Somebody watches it.
    const PRIORITY: i16 = priority::HIGH;

    fn tenant(&self) -> Option<Uuid> {
        None
    }

    fn unique_key(&self) -> Option<String> {
        Some(self.batch_id.to_string())
    }
}
