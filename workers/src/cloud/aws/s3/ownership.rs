//! `aws_s3_bucket_ownership_controls`. `BucketOwnerEnforced` is what every bucket since April 2023 starts with.

use aws_sdk_s3::types::{ObjectOwnership, OwnershipControls};

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_bucket_ownership_controls()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["OwnershipControlsNotFoundError"])?;
    Ok(answer.and_then(|answer| answer.ownership_controls).map_or(Setting::Absent, |controls| setting(&controls)))
}

fn setting(controls: &OwnershipControls) -> Setting {
    let rules =
        controls.rules.iter().map(|rule| Properties::new().set("object_ownership", rule.object_ownership.as_str()));
    let properties = Properties::new().blocks("rule", rules);
    let enforced = |ownership: &ObjectOwnership| *ownership == ObjectOwnership::BucketOwnerEnforced;
    if controls.rules.iter().all(|rule| enforced(&rule.object_ownership)) {
        Setting::Default(properties)
    } else {
        Setting::Chosen(properties)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::OwnershipControlsRule;
    use serde_json::json;

    use super::*;

    fn controls(ownership: ObjectOwnership) -> OwnershipControls {
        let rule = OwnershipControlsRule::builder().object_ownership(ownership).build().unwrap();
        OwnershipControls::builder().rules(rule).build().unwrap()
    }

    #[test]
    fn only_the_enforced_owner_is_the_default() {
        assert!(matches!(setting(&controls(ObjectOwnership::BucketOwnerEnforced)), Setting::Default(_)));
        let Setting::Chosen(properties) = setting(&controls(ObjectOwnership::ObjectWriter)) else {
            panic!("a chosen ownership is no default");
        };
        assert_eq!(properties.get("rule"), Some(&json!([{"object_ownership": "ObjectWriter"}])));
    }
}
