//! `aws_s3_bucket_object_lock_configuration`.

use aws_sdk_s3::types::{ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode};

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// Object lock without a default retention is the bucket's own `object_lock_enabled`, and no resource of its own.
pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_object_lock_configuration()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["ObjectLockConfigurationNotFoundError"])?;
    let Some(configuration) = answer.and_then(|answer| answer.object_lock_configuration) else {
        return Ok(Setting::Absent);
    };
    let properties = properties(&configuration);
    Ok(match configuration.rule {
        Some(_) => Setting::Chosen(properties),
        None => Setting::Default(properties),
    })
}

fn properties(configuration: &ObjectLockConfiguration) -> Properties {
    let retention = |rule: &aws_sdk_s3::types::ObjectLockRule| {
        rule.default_retention.as_ref().map(|retention| {
            Properties::new()
                .set("mode", retention.mode.as_ref().map(ObjectLockRetentionMode::as_str))
                .set("days", retention.days.unwrap_or_default())
                .set("years", retention.years.unwrap_or_default())
        })
    };
    let rule = configuration.rule.as_ref().map(|rule| Properties::new().block("default_retention", retention(rule)));
    Properties::new()
        .set("object_lock_enabled", configuration.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str))
        .block("rule", rule)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DefaultRetention, ObjectLockRule};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_unit_that_is_not_used_is_zero() {
        let retention = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).years(2).build();
        let configuration = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(ObjectLockRule::builder().default_retention(retention).build())
            .build();
        assert_eq!(
            Value::from(properties(&configuration)),
            json!({
                "object_lock_enabled": "Enabled",
                "rule": [{"default_retention": [{"mode": "GOVERNANCE", "days": 0, "years": 2}]}],
            })
        );
    }
}
