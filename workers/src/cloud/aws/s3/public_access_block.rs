//! `aws_s3_bucket_public_access_block`. Since April 2023 S3 blocks everything on a new bucket, so all four set is the
//! default that nobody needs to declare.

use aws_sdk_s3::types::PublicAccessBlockConfiguration;

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_public_access_block()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["NoSuchPublicAccessBlockConfiguration"])?;
    let Some(block) = answer.and_then(|answer| answer.public_access_block_configuration) else {
        return Ok(Setting::Absent);
    };
    let all =
        [block.block_public_acls, block.block_public_policy, block.ignore_public_acls, block.restrict_public_buckets]
            .into_iter()
            .all(Option::unwrap_or_default);
    let properties = properties(&block);
    Ok(if all { Setting::Default(properties) } else { Setting::Chosen(properties) })
}

fn properties(block: &PublicAccessBlockConfiguration) -> Properties {
    Properties::new()
        .set("block_public_acls", block.block_public_acls.unwrap_or_default())
        .set("block_public_policy", block.block_public_policy.unwrap_or_default())
        .set("ignore_public_acls", block.ignore_public_acls.unwrap_or_default())
        .set("restrict_public_buckets", block.restrict_public_buckets.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_switch_that_is_not_answered_is_off() {
        let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
        assert_eq!(
            Value::from(properties(&block)),
            json!({
                "block_public_acls": true,
                "block_public_policy": false,
                "ignore_public_acls": false,
                "restrict_public_buckets": false,
            })
        );
    }
}
