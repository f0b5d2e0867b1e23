//! A bucket's settings as attributes of the bucket itself.
//!
//! Terraform's `aws_s3_bucket` had all of these before they became resources of their own. It still accepts them and
//! writes every one into the state, so the bucket tells them in their old shapes next to the new resources; drift
//! decides which of the two is reported. Source of the shapes: hashicorp/aws 5.100 schema of `aws_s3_bucket`.
//! `replication_configuration` and a website's `routing_rules` are not among them: their old shapes lose what S3 tells.

use serde_json::{Map, Value, json};

use super::bucket::Setting;
use crate::cloud::Properties;

/// Adds what the bucket repeats of one setting.
pub(super) fn add(bucket: Properties, provider_type: &str, setting: &Setting) -> Properties {
    let found = match setting {
        Setting::Absent => None,
        Setting::Default(properties) | Setting::Chosen(properties) => Some(Value::from(properties.clone())),
    };
    let found = found.as_ref();
    let part = |pointer: &str| found.and_then(|value| value.pointer(pointer)).cloned();
    match provider_type {
        "aws_s3_bucket_accelerate_configuration" => bucket.set("acceleration_status", part("/status")),
        "aws_s3_bucket_acl" => bucket.set("grant", found.map(grants)),
        "aws_s3_bucket_cors_configuration" => bucket.set("cors_rule", part("/cors_rule").map(without_ids)),
        "aws_s3_bucket_lifecycle_configuration" => bucket.set("lifecycle_rule", found.map(lifecycle_rules)),
        "aws_s3_bucket_logging" => bucket.set("logging", block(found.map(logging))),
        "aws_s3_bucket_object_lock_configuration" => bucket
            .set("object_lock_enabled", part("/object_lock_enabled").is_some_and(|state| state == "Enabled"))
            .set("object_lock_configuration", block(found.cloned())),
        "aws_s3_bucket_policy" => bucket.set("policy", part("/policy")),
        "aws_s3_bucket_request_payment_configuration" => bucket.set("request_payer", part("/payer")),
        "aws_s3_bucket_server_side_encryption_configuration" => {
            bucket.set("server_side_encryption_configuration", block(found.cloned()))
        }
        "aws_s3_bucket_versioning" => bucket.set("versioning", block(found.map(versioning))),
        "aws_s3_bucket_website_configuration" => bucket.set("website", block(found.map(website))),
        _ => bucket,
    }
}

/// `[{…}]`, or `[]` when there is none.
fn block(block: Option<Value>) -> Value {
    Value::Array(block.into_iter().collect())
}

fn at(value: &Value, pointer: &str) -> Value {
    value.pointer(pointer).cloned().unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn versioning(setting: &Value) -> Value {
    let on = |name: &str| at(setting, &format!("/versioning_configuration/0/{name}")) == "Enabled";
    json!({"enabled": on("status"), "mfa_delete": on("mfa_delete")})
}

fn logging(setting: &Value) -> Value {
    json!({"target_bucket": at(setting, "/target_bucket"), "target_prefix": at(setting, "/target_prefix")})
}

fn without_ids(mut rules: Value) -> Value {
    for rule in rules.as_array_mut().into_iter().flatten() {
        rule.as_object_mut().and_then(|rule| rule.remove("id"));
    }
    rules
}

/// The old shape names each grantee once, with all its permissions.
fn grants(setting: &Value) -> Value {
    let mut grants: Vec<(Value, Vec<Value>)> = Vec::new();
    let policy = at(setting, "/access_control_policy/0");
    for grant in items(&policy, "grant") {
        let text = |name: &str| {
            let value = at(grant, &format!("/grantee/0/{name}"));
            Value::from(value.as_str().unwrap_or_default())
        };
        let grantee = json!({"id": text("id"), "type": text("type"), "uri": text("uri")});
        let permission = at(grant, "/permission");
        match grants.iter_mut().find(|(known, _)| *known == grantee) {
            Some((_, permissions)) => permissions.push(permission),
            None => grants.push((grantee, vec![permission])),
        }
    }
    let with_permissions = |(mut grantee, permissions): (Value, Vec<Value>)| {
        grantee["permissions"] = permissions.into();
        grantee
    };
    grants.into_iter().map(with_permissions).collect()
}

fn website(setting: &Value) -> Value {
    let redirect = at(setting, "/redirect_all_requests_to/0");
    let host = redirect.get("host_name").and_then(Value::as_str);
    let protocol = redirect.get("protocol").and_then(Value::as_str);
    let target = match (host, protocol) {
        (Some(host), Some(protocol)) => format!("{protocol}://{host}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    };
    json!({
        "index_document": at(setting, "/index_document/0/suffix"),
        "error_document": at(setting, "/error_document/0/key"),
        "redirect_all_requests_to": target,
    })
}

fn lifecycle_rules(setting: &Value) -> Value {
    items(setting, "rule").map(lifecycle_rule).collect()
}

fn lifecycle_rule(rule: &Value) -> Value {
    let first = |pointers: &[&str]| pointers.iter().map(|pointer| at(rule, pointer)).find(|value| !value.is_null());
    let tags = match at(rule, "/filter/0/tag/0") {
        Value::Object(tag) => {
            let key = tag.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
            Map::from_iter([(key, tag.get("value").cloned().unwrap_or_default())]).into()
        }
        _ => first(&["/filter/0/and/0/tags"]).unwrap_or_else(|| json!({})),
    };
    let noncurrent = |expiration: &Value| json!({"days": at(expiration, "/noncurrent_days")});
    let noncurrent_transition = |transition: &Value| json!({"days": at(transition, "/noncurrent_days"), "storage_class": at(transition, "/storage_class")});
    let transition = |transition: &Value| {
        json!({
            "date": at(transition, "/date").as_str().map(day),
            "days": at(transition, "/days").as_i64().unwrap_or_default(),
            "storage_class": at(transition, "/storage_class"),
        })
    };
    let expiration = |expiration: &Value| {
        json!({
            "date": at(expiration, "/date").as_str().map(day),
            "days": at(expiration, "/days"),
            "expired_object_delete_marker": at(expiration, "/expired_object_delete_marker"),
        })
    };
    let days = at(rule, "/abort_incomplete_multipart_upload/0/days_after_initiation");
    json!({
        "id": at(rule, "/id"),
        "enabled": at(rule, "/status") == "Enabled",
        "prefix": first(&["/filter/0/and/0/prefix", "/filter/0/prefix", "/prefix"]),
        "tags": tags,
        "abort_incomplete_multipart_upload_days": days.as_i64().unwrap_or_default(),
        "expiration": items(rule, "expiration").map(expiration).collect::<Value>(),
        "transition": items(rule, "transition").map(transition).collect::<Value>(),
        "noncurrent_version_expiration": items(rule, "noncurrent_version_expiration").map(noncurrent).collect::<Value>(),
        "noncurrent_version_transition":
            items(rule, "noncurrent_version_transition").map(noncurrent_transition).collect::<Value>(),
    })
}

/// The old shape holds a day, `2026-01-01`, where the new one holds a point in time.
fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrored(provider_type: &str, setting: Value) -> Value {
        let Value::Object(map) = setting else {
            panic!("a setting is an object");
        };
        let properties = map.into_iter().fold(Properties::new(), |all, (name, value)| all.set(&name, value));
        add(Properties::new(), provider_type, &Setting::Chosen(properties)).into()
    }

    #[test]
    fn an_absent_setting_is_told_as_not_set() {
        let written = add(Properties::new(), "aws_s3_bucket_policy", &Setting::Absent);
        assert_eq!(Value::from(written), json!({"policy": null}));
        let written = add(Properties::new(), "aws_s3_bucket_logging", &Setting::Absent);
        assert_eq!(Value::from(written), json!({"logging": []}));
    }

    #[test]
    fn versioning_becomes_two_switches() {
        assert_eq!(
            mirrored(
                "aws_s3_bucket_versioning",
                json!({"versioning_configuration": [{"status": "Enabled", "mfa_delete": null}]}),
            ),
            json!({"versioning": [{"enabled": true, "mfa_delete": false}]})
        );
    }

    #[test]
    fn a_grantee_stands_once_with_all_permissions() {
        let to =
            |permission: &str| json!({"permission": permission, "grantee": [{"id": "75aa", "type": "CanonicalUser"}]});
        assert_eq!(
            mirrored("aws_s3_bucket_acl", json!({"access_control_policy": [{"grant": [to("READ"), to("WRITE")]}]})),
            json!({"grant": [{"id": "75aa", "type": "CanonicalUser", "uri": "", "permissions": ["READ", "WRITE"]}]})
        );
    }

    #[test]
    fn a_lifecycle_rule_in_the_old_shape() {
        let rule = json!({
            "id": "old", "status": "Enabled", "prefix": null,
            "filter": [{"prefix": null, "tag": [], "and": [{"prefix": "logs/", "tags": {"a": "b"}}]}],
            "expiration": [{"date": "2026-01-01T00:00:00Z", "days": 0, "expired_object_delete_marker": false}],
            "transition": [{"date": null, "days": 30, "storage_class": "GLACIER"}],
            "noncurrent_version_expiration": [{"noncurrent_days": 7, "newer_noncurrent_versions": null}],
            "noncurrent_version_transition": [],
            "abort_incomplete_multipart_upload": [{"days_after_initiation": 3}],
        });
        assert_eq!(
            mirrored("aws_s3_bucket_lifecycle_configuration", json!({"rule": [rule]})),
            json!({"lifecycle_rule": [{
                "id": "old", "enabled": true, "prefix": "logs/", "tags": {"a": "b"},
                "abort_incomplete_multipart_upload_days": 3,
                "expiration": [{"date": "2026-01-01", "days": 0, "expired_object_delete_marker": false}],
                "transition": [{"date": null, "days": 30, "storage_class": "GLACIER"}],
                "noncurrent_version_expiration": [{"days": 7}],
                "noncurrent_version_transition": [],
            }]})
        );
    }

    #[test]
    fn a_website_that_redirects() {
        assert_eq!(
            mirrored(
                "aws_s3_bucket_website_configuration",
                json!({"redirect_all_requests_to": [{"host_name": "example.com", "protocol": "https"}]}),
            ),
            json!({"website": [{
                "index_document": null, "error_document": null, "redirect_all_requests_to": "https://example.com",
            }]})
        );
    }
}
