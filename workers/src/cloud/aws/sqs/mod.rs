//! Readers of SQS.

mod queue;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[queue::READER];
