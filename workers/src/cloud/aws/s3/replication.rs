//! `aws_s3_bucket_replication_configuration`.

use aws_sdk_s3::types::{
    DeleteMarkerReplicationStatus, Destination, Metrics, ReplicationConfiguration, ReplicationRule,
    ReplicationRuleFilter, ReplicationTime, ReplicationTimeValue, SourceSelectionCriteria, StorageClass,
};

use super::bucket::{Bucket, Setting, tag_map};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_bucket_replication()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["ReplicationConfigurationNotFoundError"])?;
    Ok(match answer.and_then(|answer| answer.replication_configuration) {
        Some(configuration) => Setting::Chosen(properties(&configuration)),
        None => Setting::Absent,
    })
}

fn properties(configuration: &ReplicationConfiguration) -> Properties {
    Properties::new().set("role", &configuration.role).blocks("rule", configuration.rules.iter().map(rule))
}

fn rule(rule: &ReplicationRule) -> Properties {
    let markers = rule.delete_marker_replication.as_ref();
    let existing = rule.existing_object_replication.as_ref();
    Properties::new()
        .set("id", &rule.id)
        .set("priority", rule.priority.unwrap_or_default())
        .set("prefix", prefix(rule))
        .set("status", rule.status.as_str())
        .block("filter", rule.filter.as_ref().map(filter))
        .block("destination", rule.destination.as_ref().map(destination))
        .block(
            "delete_marker_replication",
            markers.map(|found| status(found.status.as_ref().map(DeleteMarkerReplicationStatus::as_str))),
        )
        .block("existing_object_replication", existing.map(|found| status(Some(found.status.as_str()))))
        .block("source_selection_criteria", rule.source_selection_criteria.as_ref().map(source_selection))
}

/// The first version of replication rules kept the prefix on the rule. S3 still answers it, under a name that the SDK
/// marks as deprecated.
#[allow(deprecated, reason = "rules of the first version have no other place for their prefix")]
fn prefix(rule: &ReplicationRule) -> Option<&str> {
    rule.prefix.as_deref()
}

fn status(status: Option<&str>) -> Properties {
    Properties::new().set("status", status)
}

fn filter(filter: &ReplicationRuleFilter) -> Properties {
    let tag = filter.tag.as_ref().map(|tag| Properties::new().set("key", &tag.key).set("value", &tag.value));
    let and =
        filter.and.as_ref().map(|and| Properties::new().set("prefix", &and.prefix).set("tags", tag_map(and.tags())));
    Properties::new().set("prefix", &filter.prefix).block("tag", tag).block("and", and)
}

fn destination(destination: &Destination) -> Properties {
    let translation = destination.access_control_translation.as_ref();
    let encryption = destination.encryption_configuration.as_ref();
    Properties::new()
        .set("bucket", &destination.bucket)
        .set("account", &destination.account)
        .set("storage_class", destination.storage_class.as_ref().map(StorageClass::as_str))
        .block(
            "access_control_translation",
            translation.map(|found| Properties::new().set("owner", found.owner.as_str())),
        )
        .block(
            "encryption_configuration",
            encryption.map(|found| Properties::new().set("replica_kms_key_id", &found.replica_kms_key_id)),
        )
        .block("metrics", destination.metrics.as_ref().map(metrics))
        .block("replication_time", destination.replication_time.as_ref().map(replication_time))
}

fn metrics(metrics: &Metrics) -> Properties {
    Properties::new()
        .set("status", metrics.status.as_str())
        .block("event_threshold", metrics.event_threshold.as_ref().map(minutes))
}

fn replication_time(time: &ReplicationTime) -> Properties {
    Properties::new().set("status", time.status.as_str()).block("time", time.time.as_ref().map(minutes))
}

fn minutes(value: &ReplicationTimeValue) -> Properties {
    Properties::new().set("minutes", value.minutes.unwrap_or_default())
}

fn source_selection(criteria: &SourceSelectionCriteria) -> Properties {
    let modifications = criteria.replica_modifications.as_ref();
    let encrypted = criteria.sse_kms_encrypted_objects.as_ref();
    Properties::new()
        .block("replica_modifications", modifications.map(|found| status(Some(found.status.as_str()))))
        .block("sse_kms_encrypted_objects", encrypted.map(|found| status(Some(found.status.as_str()))))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{
        DeleteMarkerReplication, MetricsStatus, ReplicationRuleStatus, SseKmsEncryptedObjects,
        SseKmsEncryptedObjectsStatus,
    };
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_rule_in_terraforms_shape() {
        let metrics = Metrics::builder()
            .status(MetricsStatus::Enabled)
            .event_threshold(ReplicationTimeValue::builder().minutes(15).build())
            .build()
            .unwrap();
        let destination = Destination::builder()
            .bucket("arn:aws:s3:::copy")
            .storage_class(StorageClass::StandardIa)
            .metrics(metrics)
            .build()
            .unwrap();
        let encrypted =
            SseKmsEncryptedObjects::builder().status(SseKmsEncryptedObjectsStatus::Enabled).build().unwrap();
        let markers = DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Disabled).build();
        let full = ReplicationRule::builder()
            .id("everything")
            .priority(1)
            .status(ReplicationRuleStatus::Enabled)
            .filter(ReplicationRuleFilter::builder().prefix("").build())
            .destination(destination)
            .delete_marker_replication(markers)
            .source_selection_criteria(SourceSelectionCriteria::builder().sse_kms_encrypted_objects(encrypted).build())
            .build()
            .unwrap();
        let configuration =
            ReplicationConfiguration::builder().role("arn:aws:iam::1:role/r").rules(full).build().unwrap();
        assert_eq!(
            Value::from(properties(&configuration)),
            json!({
                "role": "arn:aws:iam::1:role/r",
                "rule": [{
                    "id": "everything",
                    "priority": 1,
                    "prefix": null,
                    "status": "Enabled",
                    "filter": [{"prefix": "", "tag": [], "and": []}],
                    "destination": [{
                        "bucket": "arn:aws:s3:::copy",
                        "account": null,
                        "storage_class": "STANDARD_IA",
                        "access_control_translation": [],
                        "encryption_configuration": [],
                        "metrics": [{"status": "Enabled", "event_threshold": [{"minutes": 15}]}],
                        "replication_time": [],
                    }],
                    "delete_marker_replication": [{"status": "Disabled"}],
                    "existing_object_replication": [],
                    "source_selection_criteria": [{
                        "replica_modifications": [],
                        "sse_kms_encrypted_objects": [{"status": "Enabled"}],
                    }],
                }],
            })
        );
    }
}
