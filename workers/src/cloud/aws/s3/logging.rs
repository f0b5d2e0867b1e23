//! `aws_s3_bucket_logging`.

use aws_sdk_s3::types::{
    BucketLogsPermission, LoggingEnabled, PartitionDateSource, TargetGrant, TargetObjectKeyFormat,
};

use super::acl::grantee;
use super::bucket::{Bucket, Setting};
use crate::cloud::{Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_logging().bucket(&bucket.name).send().await?;
    Ok(match answer.logging_enabled {
        Some(logging) => Setting::Chosen(properties(&logging)),
        None => Setting::Absent,
    })
}

fn properties(logging: &LoggingEnabled) -> Properties {
    Properties::new()
        .set("target_bucket", &logging.target_bucket)
        .set("target_prefix", &logging.target_prefix)
        .blocks("target_grant", logging.target_grants().iter().map(target_grant))
        .block("target_object_key_format", logging.target_object_key_format.as_ref().map(key_format))
}

fn target_grant(grant: &TargetGrant) -> Properties {
    Properties::new()
        .set("permission", grant.permission.as_ref().map(BucketLogsPermission::as_str))
        .block("grantee", grant.grantee.as_ref().map(grantee))
}

fn key_format(format: &TargetObjectKeyFormat) -> Properties {
    let partitioned = format.partitioned_prefix.as_ref().map(|prefix| {
        let source = prefix.partition_date_source.as_ref();
        Properties::new().set("partition_date_source", source.map(PartitionDateSource::as_str))
    });
    Properties::new()
        .block("partitioned_prefix", partitioned)
        .block("simple_prefix", format.simple_prefix.as_ref().map(|_| Properties::new()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{Grantee, PartitionedPrefix, Type};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn grants_and_a_partitioned_prefix() {
        let grantee = Grantee::builder().r#type(Type::CanonicalUser).id("75aa").build().unwrap();
        let partitioned = PartitionedPrefix::builder().partition_date_source(PartitionDateSource::EventTime).build();
        let logging = LoggingEnabled::builder()
            .target_bucket("logs")
            .target_prefix("s3/")
            .target_grants(TargetGrant::builder().grantee(grantee).permission(BucketLogsPermission::Read).build())
            .target_object_key_format(TargetObjectKeyFormat::builder().partitioned_prefix(partitioned).build())
            .build()
            .unwrap();
        assert_eq!(
            Value::from(properties(&logging)),
            json!({
                "target_bucket": "logs",
                "target_prefix": "s3/",
                "target_grant": [{
                    "permission": "READ",
                    "grantee": [{"type": "CanonicalUser", "id": "75aa", "uri": null, "email_address": null}],
                }],
                "target_object_key_format": [{
                    "partitioned_prefix": [{"partition_date_source": "EventTime"}],
                    "simple_prefix": [],
                }],
            })
        );
    }
}
