//! Readers of CloudWatch Logs.

mod group;
mod metric_filter;
mod subscription_filter;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[group::READER, metric_filter::READER, subscription_filter::READER];

/// What CloudWatch Logs answers for a group that was deleted since it was listed.
const GONE: &[&str] = &["ResourceNotFoundException"];
