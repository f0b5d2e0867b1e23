//! `aws_s3_bucket_server_side_encryption_configuration`. Since 2023 every bucket has one: AES256 unless somebody chose
//! otherwise, and that default is not reported as extra.

use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionConfiguration, ServerSideEncryptionRule};

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_bucket_encryption()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["ServerSideEncryptionConfigurationNotFoundError"])?;
    let Some(configuration) = answer.and_then(|answer| answer.server_side_encryption_configuration) else {
        return Ok(Setting::Absent);
    };
    let properties = properties(&configuration);
    Ok(if configuration.rules.iter().all(is_default) {
        Setting::Default(properties)
    } else {
        Setting::Chosen(properties)
    })
}

/// AES256 without a bucket key, as S3 gives every bucket.
fn is_default(rule: &ServerSideEncryptionRule) -> bool {
    rule.apply_server_side_encryption_by_default
        .as_ref()
        .is_none_or(|by_default| by_default.sse_algorithm == ServerSideEncryption::Aes256)
        && !rule.bucket_key_enabled.unwrap_or_default()
}

fn properties(configuration: &ServerSideEncryptionConfiguration) -> Properties {
    let rules = configuration.rules.iter().map(|rule| {
        let by_default = rule.apply_server_side_encryption_by_default.as_ref().map(|by_default| {
            Properties::new()
                .set("sse_algorithm", by_default.sse_algorithm.as_str())
                .set("kms_master_key_id", &by_default.kms_master_key_id)
        });
        Properties::new()
            .block("apply_server_side_encryption_by_default", by_default)
            .set("bucket_key_enabled", rule.bucket_key_enabled.unwrap_or_default())
    });
    Properties::new().blocks("rule", rules)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::ServerSideEncryptionByDefault;
    use serde_json::{Value, json};

    use super::*;

    fn rule(algorithm: ServerSideEncryption, key: Option<&str>, bucket_key: Option<bool>) -> ServerSideEncryptionRule {
        ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(
                ServerSideEncryptionByDefault::builder()
                    .sse_algorithm(algorithm)
                    .set_kms_master_key_id(key.map(ToOwned::to_owned))
                    .build()
                    .unwrap(),
            )
            .set_bucket_key_enabled(bucket_key)
            .build()
    }

    #[test]
    fn a_kms_key_is_told() {
        let configuration = ServerSideEncryptionConfiguration::builder()
            .rules(rule(ServerSideEncryption::AwsKms, Some("arn:aws:kms:eu-west-1:1:key/k"), None))
            .build()
            .unwrap();
        assert_eq!(
            Value::from(properties(&configuration)),
            json!({"rule": [{
                "apply_server_side_encryption_by_default": [
                    {"sse_algorithm": "aws:kms", "kms_master_key_id": "arn:aws:kms:eu-west-1:1:key/k"}],
                "bucket_key_enabled": false,
            }]})
        );
    }

    #[test]
    fn only_plain_aes256_is_the_default() {
        assert!(is_default(&rule(ServerSideEncryption::Aes256, None, Some(false))));
        assert!(!is_default(&rule(ServerSideEncryption::Aes256, None, Some(true))));
        assert!(!is_default(&rule(ServerSideEncryption::AwsKms, None, None)));
    }
}
