//! What the cloud answers for something that was never set.
//!
//! Terraform keeps nothing (or what the API said on the day of the apply); the API answers with its default. The two
//! mean the same. Only used where one side is unset. Source: the services' API references.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::canonical;

/// Type, path without indices, default as JSON. Type `*` stands for all.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("aws_cloudwatch_log_group", "log_group_class", r#""STANDARD""#),
    ("aws_db_instance", "network_type", r#""IPV4""#),
    ("aws_db_instance", "engine_lifecycle_support", r#""open-source-rds-extended-support""#),
    ("aws_db_instance", "database_insights_mode", r#""standard""#),
    ("aws_dynamodb_table", "billing_mode", r#""PROVISIONED""#),
    ("aws_dynamodb_table", "table_class", r#""STANDARD""#),
    ("aws_dynamodb_table", "point_in_time_recovery.recovery_period_in_days", "35"),
    ("aws_ebs_volume", "throughput", "125"),
    ("aws_instance", "tenancy", r#""default""#),
    ("aws_instance", "instance_initiated_shutdown_behavior", r#""stop""#),
    ("aws_kms_key", "rotation_period_in_days", "365"),
    ("aws_lambda_function", "architectures", r#"["x86_64"]"#),
    ("aws_lambda_function", "ephemeral_storage.size", "512"),
    ("aws_lambda_function", "logging_config.log_format", r#""Text""#),
    ("aws_lambda_function", "package_type", r#""Zip""#),
    ("aws_lambda_function", "reserved_concurrent_executions", "-1"),
    ("aws_lambda_function", "snap_start.apply_on", r#""None""#),
    ("aws_lambda_function", "tracing_config.mode", r#""PassThrough""#),
    ("aws_s3_bucket", "acceleration_status", r#""Suspended""#),
    ("aws_s3_bucket", "request_payer", r#""BucketOwner""#),
    (
        "aws_s3_bucket",
        "server_side_encryption_configuration.rule.apply_server_side_encryption_by_default.sse_algorithm",
        r#""AES256""#,
    ),
    ("aws_sns_topic", "signature_version", "1"),
    ("aws_sns_topic", "tracing_config", r#""PassThrough""#),
    ("aws_sns_topic_subscription", "filter_policy_scope", r#""MessageAttributes""#),
    ("aws_sqs_queue", "kms_data_key_reuse_period_seconds", "300"),
    ("aws_vpc", "instance_tenancy", r#""default""#),
];

static BY_PATH: LazyLock<HashMap<(&str, &str), String>> = LazyLock::new(|| {
    DEFAULTS
        .iter()
        .filter_map(|(provider_type, path, json)| {
            Some(((*provider_type, *path), canonical(&serde_json::from_str::<Value>(json).ok()?)))
        })
        .collect()
});

/// Whether this value is what the cloud answers when the attribute (path without indices) was never set.
#[must_use]
pub fn is_default(provider_type: &str, path: &str, value: &Value) -> bool {
    if path == "grant" && provider_type == "aws_s3_bucket" {
        return is_owner_grant(value);
    }
    BY_PATH.get(&(provider_type, path)).is_some_and(|default| *default == canonical(value))
}

/// The grant that every bucket starts with: full control for its owner.
fn is_owner_grant(value: &Value) -> bool {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) => {
            one.get("type").and_then(Value::as_str) == Some("CanonicalUser")
                && one
                    .get("permissions")
                    .and_then(Value::as_array)
                    .is_some_and(|p| p.iter().eq([&Value::from("FULL_CONTROL")]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_default_is_json_of_a_known_type() {
        assert_eq!(BY_PATH.len(), DEFAULTS.len());
        assert!(DEFAULTS.iter().all(|d| crate::schema::is_known_type(d.0)));
    }

    #[test]
    fn defaults_are_recognised_in_any_spelling() {
        assert!(is_default("aws_kms_key", "rotation_period_in_days", &json!("365")));
        assert!(!is_default("aws_kms_key", "rotation_period_in_days", &json!(90)));
        assert!(is_default(
            "aws_s3_bucket",
            "grant",
            &json!([{"id": "a", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}])
        ));
        assert!(!is_default(
            "aws_s3_bucket",
            "grant",
            &json!([{"permissions": ["READ"], "type": "Group", "uri": "AllUsers"}])
        ));
    }
}
