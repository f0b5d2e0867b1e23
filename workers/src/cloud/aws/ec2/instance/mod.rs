//! Instances, with what only attribute calls and their volumes tell. Terraform: `aws_instance`.
//!
//! Left out on purpose: `user_data` (it often holds secrets, and Terraform keeps only its hash) and what moves when an instance
//! is merely stopped and started (public address, state).

mod blocks;

use std::collections::HashMap;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, HibernationOptions, Instance, InstanceAttributeName, InstanceLifecycleType,
    InstanceStateName, InstanceType, MonitoringState, Placement, Reservation, Tenancy, Volume,
};

use super::{filter, tag, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{ErrorClass, Properties, ReadError};

const TYPES: &[&str] = &["aws_instance"];

/// `DescribeInstances`.
pub const READER: Reader =
    Reader { service: "ec2", types: TYPES, scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// Instances whose credit specification is asked for at once. Source: EC2 API reference.
const CREDITS_PER_CALL: usize = 1_000;

async fn read(cx: Context) -> Result<(), ReadError> {
    let reservations: Vec<Reservation> =
        cx.ec2().describe_instances().into_paginator().items().send().try_collect().await?;
    let instances: Vec<Instance> = reservations
        .into_iter()
        .flat_map(|reservation| reservation.instances.unwrap_or_default())
        .filter(is_there)
        .collect();
    if instances.is_empty() {
        return Ok(());
    }
    let volumes = volumes(&cx).await?;
    let credits = credits(&cx, &instances).await;
    cx.for_each(instances, |cx, instance| {
        let blocks = blocks::storage(&instance, &volumes);
        let credit = instance.instance_id().and_then(|id| credits.get(id).cloned());
        async move {
            one(&cx, &instance, blocks, credit).await;
            Ok(())
        }
    })
    .await
}

fn is_there(instance: &Instance) -> bool {
    let state = instance.state().and_then(|state| state.name());
    !matches!(state, Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown))
}

/// Attached volumes by id.
async fn volumes(cx: &Context) -> Result<HashMap<String, Volume>, ReadError> {
    let attached = filter("attachment.status", "attached");
    let volumes: Vec<Volume> =
        cx.ec2().describe_volumes().filters(attached).into_paginator().items().send().try_collect().await?;
    Ok(volumes.into_iter().filter_map(|volume| Some((volume.volume_id.clone()?, volume))).collect())
}

/// CPU credits of burstable instances (`t2`, `t3`, `t4g`, …) by id; others have none, and asking for one of them is an error.
async fn credits(cx: &Context, instances: &[Instance]) -> HashMap<String, String> {
    let is_burstable =
        |instance: &&Instance| instance.instance_type().is_some_and(|kind| kind.as_str().starts_with('t'));
    let ids: Vec<&str> = instances.iter().filter(is_burstable).filter_map(|instance| instance.instance_id()).collect();
    let mut credits = HashMap::new();
    for ids in ids.chunks(CREDITS_PER_CALL) {
        let ids = ids.iter().map(ToString::to_string).collect();
        match cx.ec2().describe_instance_credit_specifications().set_instance_ids(Some(ids)).send().await {
            Ok(answer) => credits.extend(
                answer
                    .instance_credit_specifications
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|credit| Some((credit.instance_id?, credit.cpu_credits?))),
            ),
            Err(error) => cx.unreadable(TYPES, error.into()),
        }
    }
    credits
}

async fn one(cx: &Context, instance: &Instance, storage: Properties, credit: Option<String>) {
    let Some(id) = instance.instance_id() else { return };
    let placement = instance.placement();
    let monitoring = instance.monitoring().and_then(|monitoring| monitoring.state());
    let profile =
        instance.iam_instance_profile().and_then(|profile| profile.arn()).and_then(|arn| arn.rsplit('/').next());
    let groups: Vec<&str> = instance.security_groups().iter().filter_map(|group| group.group_id()).collect();
    let properties = storage
        .set("ami", instance.image_id())
        .set("arn", cx.arn("ec2", format!("instance/{id}")))
        .set("availability_zone", placement.and_then(Placement::availability_zone))
        .told("ebs_optimized", instance.ebs_optimized())
        .told("hibernation", instance.hibernation_options().and_then(HibernationOptions::configured))
        .set("host_id", placement.and_then(Placement::host_id))
        .set("iam_instance_profile", profile)
        .set("instance_lifecycle", instance.instance_lifecycle().map(InstanceLifecycleType::as_str))
        .set("instance_type", instance.instance_type().map(InstanceType::as_str))
        .set("key_name", instance.key_name())
        .told(
            "monitoring",
            monitoring.map(|state| matches!(state, MonitoringState::Enabled | MonitoringState::Pending)),
        )
        .set("outpost_arn", instance.outpost_arn())
        .set("placement_group", placement.and_then(Placement::group_name))
        .set("placement_partition_number", placement.and_then(Placement::partition_number).unwrap_or_default())
        .set("private_ip", instance.private_ip_address())
        .told("source_dest_check", instance.source_dest_check())
        .set("spot_instance_request_id", instance.spot_instance_request_id())
        .set("subnet_id", instance.subnet_id())
        .told("tenancy", placement.and_then(Placement::tenancy).map(Tenancy::as_str))
        .told("vpc_security_group_ids", instance.vpc_id().map(|_| groups))
        .tags(tags(instance.tags()));
    let properties = blocks::options(properties, instance);
    let properties = match credit {
        Some(credit) => properties.block("credit_specification", Some(Properties::new().set("cpu_credits", credit))),
        None => properties,
    };
    let properties = attributes(cx, id, properties).await;
    let draft = cx.resource("aws_instance", id).properties(properties);
    let group = tag(instance.tags(), "aws:autoscaling:groupName");
    cx.emit(match group {
        Some(group) => draft.managed_by(format!("auto scaling group {group}")),
        None => draft,
    })
    .await;
}

/// What `DescribeInstances` leaves out, one call each.
async fn attributes(cx: &Context, id: &str, mut properties: Properties) -> Properties {
    let ask = |name| cx.ec2().describe_instance_attribute().instance_id(id).attribute(name).send();
    for name in [
        InstanceAttributeName::DisableApiStop,
        InstanceAttributeName::DisableApiTermination,
        InstanceAttributeName::InstanceInitiatedShutdownBehavior,
    ] {
        match ask(name).await {
            Ok(answer) => {
                let flag = |attribute: Option<&AttributeBooleanValue>| attribute.and_then(AttributeBooleanValue::value);
                let behavior = answer.instance_initiated_shutdown_behavior().and_then(|attribute| attribute.value());
                properties = properties
                    .told("disable_api_stop", flag(answer.disable_api_stop()))
                    .told("disable_api_termination", flag(answer.disable_api_termination()))
                    .told("instance_initiated_shutdown_behavior", behavior);
            }
            // Terminated between the two calls: no failure of the scan.
            Err(error) => {
                let error = ReadError::from(error);
                if error.class != ErrorClass::NotFound {
                    cx.unreadable(TYPES, error);
                }
            }
        }
    }
    properties
}
