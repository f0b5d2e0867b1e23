//! Readers of EC2: networks, instances and volumes.

pub mod internet_gateway;

use aws_sdk_ec2::types::Tag;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[internet_gateway::READER];

/// EC2's tags as pairs.
fn tags(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))
}
