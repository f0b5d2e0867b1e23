//! Readers of SNS.

mod subscription;
mod topic;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[topic::READER, subscription::READER];

/// What SNS answers for a topic or subscription that was deleted since it was listed.
const GONE: &[&str] = &["NotFound", "NotFoundException"];

type Attributes = std::collections::HashMap<String, String>;

/// An attribute that is there and not empty.
fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
}
