//! `aws_s3_bucket_policy`.

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer =
        bucket.client.get_bucket_policy().bucket(&bucket.name).send().await.or_absent(&["NoSuchBucketPolicy"])?;
    Ok(match answer.and_then(|answer| answer.policy) {
        Some(policy) => Setting::Chosen(Properties::new().set("policy", policy)),
        None => Setting::Absent,
    })
}
