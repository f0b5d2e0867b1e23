//! `aws_s3_bucket_lifecycle_configuration`.
//!
//! The shapes are those of hashicorp/aws 5.86 and later: `filter` holds at most one of its members, an empty `<Filter/>`
//! is written as no filter, and numbers that the older provider wrote as 0 stay 0 (`expiration.days`, `filter.and`).

use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::types::{
    LifecycleExpiration, LifecycleRule, LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration,
    NoncurrentVersionTransition, Tag, Transition, TransitionDefaultMinimumObjectSize, TransitionStorageClass,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::bucket::{Bucket, Setting, tag_map};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_bucket_lifecycle_configuration()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["NoSuchLifecycleConfiguration"])?;
    Ok(match answer {
        Some(answer) if !answer.rules().is_empty() => Setting::Chosen(properties(&answer)),
        _ => Setting::Absent,
    })
}

fn properties(answer: &GetBucketLifecycleConfigurationOutput) -> Properties {
    let minimum = answer.transition_default_minimum_object_size.as_ref();
    Properties::new()
        .told("transition_default_minimum_object_size", minimum.map(TransitionDefaultMinimumObjectSize::as_str))
        .blocks("rule", answer.rules().iter().map(rule))
}

fn rule(rule: &LifecycleRule) -> Properties {
    let abort = rule.abort_incomplete_multipart_upload.as_ref();
    Properties::new()
        .set("id", &rule.id)
        .set("status", rule.status.as_str())
        .set("prefix", prefix(rule))
        .block("filter", rule.filter.as_ref().and_then(filter))
        .block("expiration", rule.expiration.as_ref().map(expiration))
        .blocks("transition", rule.transitions().iter().map(transition))
        .block("noncurrent_version_expiration", rule.noncurrent_version_expiration.as_ref().map(noncurrent_expiration))
        .blocks(
            "noncurrent_version_transition",
            rule.noncurrent_version_transitions().iter().map(noncurrent_transition),
        )
        .block(
            "abort_incomplete_multipart_upload",
            abort.map(|abort| Properties::new().set("days_after_initiation", abort.days_after_initiation)),
        )
}

/// The first version of lifecycle rules kept the prefix on the rule. S3 still answers it, under a name that the SDK marks
/// as deprecated.
#[allow(deprecated, reason = "rules of the first version have no other place for their prefix")]
fn prefix(rule: &LifecycleRule) -> Option<&str> {
    rule.prefix.as_deref()
}

fn filter(filter: &LifecycleRuleFilter) -> Option<Properties> {
    if *filter == LifecycleRuleFilter::builder().build() {
        return None;
    }
    Some(
        Properties::new()
            .set("prefix", &filter.prefix)
            .set("object_size_greater_than", filter.object_size_greater_than)
            .set("object_size_less_than", filter.object_size_less_than)
            .block("tag", filter.tag.as_ref().map(tag))
            .block("and", filter.and.as_ref().map(and)),
    )
}

fn tag(tag: &Tag) -> Properties {
    Properties::new().set("key", &tag.key).set("value", &tag.value)
}

fn and(and: &LifecycleRuleAndOperator) -> Properties {
    Properties::new()
        .set("prefix", &and.prefix)
        .set("tags", tag_map(and.tags()))
        .set("object_size_greater_than", and.object_size_greater_than.unwrap_or_default())
        .set("object_size_less_than", and.object_size_less_than.unwrap_or_default())
}

fn expiration(expiration: &LifecycleExpiration) -> Properties {
    Properties::new()
        .set("date", expiration.date.as_ref().and_then(date))
        .set("days", expiration.days.unwrap_or_default())
        .set("expired_object_delete_marker", expiration.expired_object_delete_marker.unwrap_or_default())
}

fn transition(transition: &Transition) -> Properties {
    Properties::new()
        .set("date", transition.date.as_ref().and_then(date))
        .set("days", transition.days)
        .set("storage_class", transition.storage_class.as_ref().map(TransitionStorageClass::as_str))
}

fn noncurrent_expiration(expiration: &NoncurrentVersionExpiration) -> Properties {
    Properties::new()
        .set("noncurrent_days", expiration.noncurrent_days)
        .set("newer_noncurrent_versions", expiration.newer_noncurrent_versions)
}

fn noncurrent_transition(transition: &NoncurrentVersionTransition) -> Properties {
    Properties::new()
        .set("noncurrent_days", transition.noncurrent_days)
        .set("newer_noncurrent_versions", transition.newer_noncurrent_versions)
        .set("storage_class", transition.storage_class.as_ref().map(TransitionStorageClass::as_str))
}

fn date(at: &DateTime) -> Option<String> {
    at.fmt(Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{AbortIncompleteMultipartUpload, ExpirationStatus};
    use serde_json::{Value, json};

    use super::*;

    fn named(id: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled)
    }

    fn tagged(key: &str, value: &str) -> Tag {
        Tag::builder().key(key).value(value).build().unwrap()
    }

    #[test]
    fn filters_in_all_their_variants() {
        let none = LifecycleRuleFilter::builder().build();
        assert_eq!(filter(&none), None);
        let variants = [
            (
                LifecycleRuleFilter::builder().prefix("").build(),
                json!({"prefix": "", "object_size_greater_than": null, "object_size_less_than": null, "tag": [], "and": []}),
            ),
            (
                LifecycleRuleFilter::builder().tag(tagged("a", "b")).build(),
                json!({"prefix": null, "object_size_greater_than": null, "object_size_less_than": null,
                       "tag": [{"key": "a", "value": "b"}], "and": []}),
            ),
            (
                LifecycleRuleFilter::builder()
                    .and(LifecycleRuleAndOperator::builder().prefix("p").tags(tagged("a", "b")).build())
                    .build(),
                json!({"prefix": null, "object_size_greater_than": null, "object_size_less_than": null, "tag": [],
                       "and": [{"prefix": "p", "tags": {"a": "b"},
                                "object_size_greater_than": 0, "object_size_less_than": 0}]}),
            ),
        ];
        for (given, expected) in variants {
            assert_eq!(filter(&given).map(Value::from), Some(expected));
        }
    }

    #[test]
    fn a_rule_with_everything() {
        let full = named("all")
            .filter(LifecycleRuleFilter::builder().object_size_greater_than(1024).build())
            .expiration(LifecycleExpiration::builder().date(DateTime::from_secs(1_767_225_600)).build())
            .transitions(Transition::builder().days(30).storage_class(TransitionStorageClass::Glacier).build())
            .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(7).build())
            .noncurrent_version_transitions(
                NoncurrentVersionTransition::builder()
                    .noncurrent_days(1)
                    .newer_noncurrent_versions(2)
                    .storage_class(TransitionStorageClass::StandardIa)
                    .build(),
            )
            .abort_incomplete_multipart_upload(
                AbortIncompleteMultipartUpload::builder().days_after_initiation(3).build(),
            )
            .build()
            .unwrap();
        let answer = GetBucketLifecycleConfigurationOutput::builder()
            .rules(full)
            .transition_default_minimum_object_size(TransitionDefaultMinimumObjectSize::AllStorageClasses128K)
            .build();
        assert_eq!(
            Value::from(properties(&answer)),
            json!({
                "transition_default_minimum_object_size": "all_storage_classes_128K",
                "rule": [{
                    "id": "all",
                    "status": "Enabled",
                    "prefix": null,
                    "filter": [{"prefix": null, "object_size_greater_than": 1024, "object_size_less_than": null,
                                "tag": [], "and": []}],
                    "expiration": [{"date": "2026-01-01T00:00:00Z", "days": 0, "expired_object_delete_marker": false}],
                    "transition": [{"date": null, "days": 30, "storage_class": "GLACIER"}],
                    "noncurrent_version_expiration": [{"noncurrent_days": 7, "newer_noncurrent_versions": null}],
                    "noncurrent_version_transition": [
                        {"noncurrent_days": 1, "newer_noncurrent_versions": 2, "storage_class": "STANDARD_IA"}],
                    "abort_incomplete_multipart_upload": [{"days_after_initiation": 3}],
                }],
            })
        );
    }
}
