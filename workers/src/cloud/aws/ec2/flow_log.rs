//! Flow logs. Terraform: `aws_flow_log`.

use aws_sdk_ec2::types::{DestinationFileFormat, LogDestinationType, TrafficType};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeFlowLogs`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_flow_log"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// Prefix of the resource's id and the attribute in which Terraform has it.
const RESOURCES: &[(&str, &str)] = &[
    ("vpc-", "vpc_id"),
    ("subnet-", "subnet_id"),
    ("eni-", "eni_id"),
    ("tgw-attach-", "transit_gateway_attachment_id"),
    ("tgw-", "transit_gateway_id"),
];

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut logs = cx.ec2().describe_flow_logs().into_paginator().items().send();
    while let Some(log) = logs.try_next().await? {
        let Some(id) = log.flow_log_id() else { continue };
        let options = log.destination_options().map(|options| {
            Properties::new()
                .set("file_format", options.file_format().map(DestinationFileFormat::as_str))
                .set("hive_compatible_partitions", options.hive_compatible_partitions().unwrap_or_default())
                .set("per_hour_partition", options.per_hour_partition().unwrap_or_default())
        });
        let mut properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("vpc-flow-log/{id}")))
            .set("deliver_cross_account_role", log.deliver_cross_account_role())
            .block("destination_options", options)
            .set("iam_role_arn", log.deliver_logs_permission_arn())
            .told("log_destination", log.log_destination())
            .told("log_destination_type", log.log_destination_type().map(LogDestinationType::as_str))
            .told("log_format", log.log_format())
            .told("max_aggregation_interval", log.max_aggregation_interval())
            .set("traffic_type", log.traffic_type().map(TrafficType::as_str))
            .tags(tags(log.tags()));
        let resource = log.resource_id().unwrap_or_default();
        if let Some((_, attribute)) = RESOURCES.iter().find(|(prefix, _)| resource.starts_with(prefix)) {
            properties = properties.set(attribute, resource);
        }
        cx.emit(cx.resource("aws_flow_log", id).properties(properties)).await;
    }
    Ok(())
}
