//! A table in the shape of Terraform's `aws_dynamodb_table`.

use aws_sdk_dynamodb::types::{
    GlobalSecondaryIndexDescription, KeySchemaElement, KeyType, LocalSecondaryIndexDescription, OnDemandThroughput,
    PointInTimeRecoveryDescription, PointInTimeRecoveryStatus, Projection, ProjectionType,
    ProvisionedThroughputDescription, SseDescription, SseStatus, StreamSpecification, StreamViewType, TableDescription,
    TimeToLiveDescription, TimeToLiveStatus,
};

use crate::cloud::Properties;

/// What `DescribeTable` tells. The stream's ARN and label are left out: they hold the time when it was switched on. Replicas are
/// told only when there are none: what Terraform keeps of a replica is known in the replica's region alone.
pub(super) fn table(table: &TableDescription) -> Properties {
    let billing_mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let class = table.table_class_summary().and_then(|summary| summary.table_class());
    let throughput = table.provisioned_throughput();
    let stream = table.stream_specification();
    let attributes = table.attribute_definitions().iter().map(|attribute| {
        Properties::new().set("name", attribute.attribute_name()).set("type", attribute.attribute_type().as_str())
    });
    let mut properties = Properties::new()
        .set("arn", table.table_arn())
        .set("name", table.table_name())
        .blocks("attribute", attributes)
        // Both summaries are there only once the setting was ever changed.
        .set("billing_mode", billing_mode.map_or("PROVISIONED", |mode| mode.as_str()))
        .set("table_class", class.map_or("STANDARD", |class| class.as_str()))
        .set("deletion_protection_enabled", table.deletion_protection_enabled().unwrap_or(false))
        .set("hash_key", key(table.key_schema(), &KeyType::Hash))
        .set("range_key", key(table.key_schema(), &KeyType::Range))
        .told("read_capacity", throughput.and_then(ProvisionedThroughputDescription::read_capacity_units))
        .told("write_capacity", throughput.and_then(ProvisionedThroughputDescription::write_capacity_units))
        .block("on_demand_throughput", table.on_demand_throughput().map(on_demand))
        .set("stream_enabled", stream.is_some_and(StreamSpecification::stream_enabled))
        .set("stream_view_type", stream.and_then(|stream| stream.stream_view_type()).map(StreamViewType::as_str))
        .block("server_side_encryption", table.sse_description().map(encryption))
        .blocks("global_secondary_index", table.global_secondary_indexes().iter().map(global_index))
        .blocks("local_secondary_index", table.local_secondary_indexes().iter().map(local_index));
    if table.replicas().is_empty() {
        properties = properties.blocks("replica", []);
    }
    properties
}

/// The block `ttl`, which Terraform always has.
pub(super) fn time_to_live(description: Option<&TimeToLiveDescription>) -> Properties {
    let status = description.and_then(|description| description.time_to_live_status());
    Properties::new()
        .set("attribute_name", description.and_then(|description| description.attribute_name()))
        .set("enabled", status == Some(&TimeToLiveStatus::Enabled))
}

/// The block `point_in_time_recovery`, which Terraform always has.
pub(super) fn recovery(description: Option<&PointInTimeRecoveryDescription>) -> Properties {
    let status = description.and_then(|description| description.point_in_time_recovery_status());
    Properties::new()
        .set("enabled", status == Some(&PointInTimeRecoveryStatus::Enabled))
        .told("recovery_period_in_days", description.and_then(PointInTimeRecoveryDescription::recovery_period_in_days))
}

fn global_index(index: &GlobalSecondaryIndexDescription) -> Properties {
    let throughput = index.provisioned_throughput();
    let units = |units: Option<i64>| units.unwrap_or(0);
    projected(index.projection())
        .set("name", index.index_name())
        .set("hash_key", key(index.key_schema(), &KeyType::Hash))
        .set("range_key", key(index.key_schema(), &KeyType::Range))
        .set("read_capacity", units(throughput.and_then(ProvisionedThroughputDescription::read_capacity_units)))
        .set("write_capacity", units(throughput.and_then(ProvisionedThroughputDescription::write_capacity_units)))
        .block("on_demand_throughput", index.on_demand_throughput().map(on_demand))
}

fn local_index(index: &LocalSecondaryIndexDescription) -> Properties {
    projected(index.projection())
        .set("name", index.index_name())
        .set("range_key", key(index.key_schema(), &KeyType::Range))
}

fn projected(projection: Option<&Projection>) -> Properties {
    let projection_type = projection.and_then(|projection| projection.projection_type());
    Properties::new()
        .set("projection_type", projection_type.map(ProjectionType::as_str))
        .set("non_key_attributes", projection.map_or(&[][..], |projection| projection.non_key_attributes()))
}

fn on_demand(limits: &OnDemandThroughput) -> Properties {
    Properties::new()
        .told("max_read_request_units", limits.max_read_request_units())
        .told("max_write_request_units", limits.max_write_request_units())
}

fn encryption(description: &SseDescription) -> Properties {
    Properties::new()
        .set("enabled", description.status() == Some(&SseStatus::Enabled))
        .set("kms_key_arn", description.kms_master_key_arn())
}

fn key<'a>(schema: &'a [KeySchemaElement], kind: &KeyType) -> Option<&'a str> {
    schema.iter().find(|element| element.key_type() == kind).map(KeySchemaElement::attribute_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::{
        BillingMode, BillingModeSummary, ReplicaDescription, SseType, StreamSpecification, StreamViewType,
    };
    use serde_json::json;

    #[test]
    fn a_table_that_never_changed_its_modes_has_the_defaults() {
        let properties = table(&TableDescription::builder().table_name("t").build());
        assert_eq!(properties.get("billing_mode"), Some(&json!("PROVISIONED")));
        assert_eq!(properties.get("table_class"), Some(&json!("STANDARD")));
        assert_eq!(properties.get("server_side_encryption"), Some(&json!([])));
        assert_eq!(properties.get("replica"), Some(&json!([])));
        assert_eq!(properties.get("read_capacity"), None, "not told");
    }

    #[test]
    fn on_demand_limits_encryption_stream_and_replicas() -> Result<(), Box<dyn std::error::Error>> {
        let description = TableDescription::builder()
            .table_name("t")
            .billing_mode_summary(BillingModeSummary::builder().billing_mode(BillingMode::PayPerRequest).build())
            .on_demand_throughput(OnDemandThroughput::builder().max_read_request_units(40).build())
            .sse_description(
                SseDescription::builder()
                    .status(SseStatus::Enabled)
                    .sse_type(SseType::Kms)
                    .kms_master_key_arn("arn:aws:kms:eu-west-1:123456789012:key/1")
                    .build(),
            )
            .stream_specification(
                StreamSpecification::builder()
                    .stream_enabled(true)
                    .stream_view_type(StreamViewType::KeysOnly)
                    .build()?,
            )
            .replicas(ReplicaDescription::builder().region_name("eu-central-1").build())
            .build();
        let properties = table(&description);
        assert_eq!(properties.get("on_demand_throughput"), Some(&json!([{"max_read_request_units": 40}])));
        assert_eq!(
            properties.get("server_side_encryption"),
            Some(&json!([{"enabled": true, "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1"}]))
        );
        assert_eq!(properties.get("stream_view_type"), Some(&json!("KEYS_ONLY")));
        assert_eq!(properties.get("replica"), None, "not known here");
        Ok(())
    }

    #[test]
    fn time_to_live_and_recovery_are_off_when_nothing_is_said() {
        assert_eq!(json!(time_to_live(None)), json!({"attribute_name": null, "enabled": false}));
        assert_eq!(json!(recovery(None)), json!({"enabled": false}));
    }
}
