//! Readers of CloudWatch.

mod alarm;
mod dashboard;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[alarm::READER, dashboard::READER];
