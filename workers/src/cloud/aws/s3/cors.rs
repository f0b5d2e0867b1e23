//! `aws_s3_bucket_cors_configuration`.

use aws_sdk_s3::types::CorsRule;

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer =
        bucket.client.get_bucket_cors().bucket(&bucket.name).send().await.or_absent(&["NoSuchCORSConfiguration"])?;
    let rules = answer.and_then(|answer| answer.cors_rules).unwrap_or_default();
    Ok(if rules.is_empty() {
        Setting::Absent
    } else {
        Setting::Chosen(Properties::new().blocks("cors_rule", rules.iter().map(rule)))
    })
}

fn rule(rule: &CorsRule) -> Properties {
    Properties::new()
        .set("id", &rule.id)
        .set("allowed_headers", rule.allowed_headers())
        .set("allowed_methods", rule.allowed_methods())
        .set("allowed_origins", rule.allowed_origins())
        .set("expose_headers", rule.expose_headers())
        .set("max_age_seconds", rule.max_age_seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_rule_leaves_out_is_empty() {
        let cors = CorsRule::builder().allowed_methods("GET").allowed_origins("*").build().unwrap();
        assert_eq!(
            Value::from(rule(&cors)),
            json!({
                "id": null,
                "allowed_headers": [],
                "allowed_methods": ["GET"],
                "allowed_origins": ["*"],
                "expose_headers": [],
                "max_age_seconds": 0,
            })
        );
    }
}
