//! Readers of Route 53.

mod health_check;
mod record;
mod shape;
mod zone;

use std::collections::HashMap;

use aws_sdk_route53::types::TagResourceType;

use super::reader::{Context, Reader};
use crate::cloud::ReadError;

/// All readers of this service.
pub const READERS: &[Reader] = &[zone::READER, record::READER, health_check::READER];

/// Resources of one `ListTagsForResources`; Route 53 takes no more.
const TAGGED_AT_ONCE: usize = 10;

/// Tags by resource id.
type Tags = HashMap<String, Vec<(String, String)>>;

/// The tags of up to [`TAGGED_AT_ONCE`] resources.
async fn tags(cx: &Context, kind: TagResourceType, ids: &[String]) -> Result<Tags, ReadError> {
    let asked = cx.route53().list_tags_for_resources().resource_type(kind).set_resource_ids(Some(ids.to_vec()));
    let sets = asked.send().await?.resource_tag_sets;
    Ok(sets
        .into_iter()
        .filter_map(|set| {
            let tags = set.tags.unwrap_or_default().into_iter();
            let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
            Some((set.resource_id?, tags.collect()))
        })
        .collect())
}

/// `Z123` out of `/hostedzone/Z123`.
fn zone_id(id: &str) -> &str {
    id.strip_prefix("/hostedzone/").unwrap_or(id)
}
