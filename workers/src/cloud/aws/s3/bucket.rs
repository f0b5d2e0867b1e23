//! Buckets themselves (Terraform: `aws_s3_bucket`), and what the readers of their settings share.

use aws_sdk_s3::types::Tag;
use serde_json::{Map, Value};

use super::failures::Lost;
use crate::cloud::aws::reader::Context;
use crate::cloud::{OrAbsent, Properties, ReadError};

/// A bucket of one of the scanned regions, with a client of its region.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub name: String,
    pub region: String,
    pub client: aws_sdk_s3::Client,
}

/// What a bucket answers when asked for one of its settings. `Default` is what S3 gives every bucket unasked: it is
/// there to be compared when somebody declared it, and is no finding when nobody did.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Absent,
    Default(Properties),
    Chosen(Properties),
}

/// What the bucket tells of itself, and what it would not tell.
pub(super) async fn read(cx: &Context, bucket: &Bucket) -> (Properties, Vec<(Lost, ReadError)>) {
    let properties = Properties::new()
        .set("arn", format!("arn:{}:s3:::{}", cx.partition(), bucket.name))
        .set("bucket", &bucket.name)
        .set("region", &bucket.region);
    match tags(bucket).await {
        Ok(tags) => (properties.tags(pairs(&tags)), Vec::new()),
        Err(error) => (properties, vec![(Lost::Attributes, error)]),
    }
}

async fn tags(bucket: &Bucket) -> Result<Vec<Tag>, ReadError> {
    let answer = bucket.client.get_bucket_tagging().bucket(&bucket.name).send().await.or_absent(&["NoSuchTagSet"])?;
    Ok(answer.map(|answer| answer.tag_set).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

/// Tags inside a rule's filter, as Terraform's map.
pub(super) fn tag_map(tags: &[Tag]) -> Map<String, Value> {
    pairs(tags).map(|(key, value)| (key.to_owned(), value.into())).collect()
}
