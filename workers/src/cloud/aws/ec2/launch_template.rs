//! Launch templates, with their latest version. Terraform: `aws_launch_template`.
//!
//! Left out on purpose: `user_data`, which often holds secrets.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplate, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataEndpointState,
    LaunchTemplateInstanceMetadataOptions, LaunchTemplateInstanceMetadataProtocolIpv6,
    LaunchTemplateInstanceMetadataTagsState, LaunchTemplateVersion, ShutdownBehavior,
};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{ErrorClass, Properties, ReadError};

const TYPES: &[&str] = &["aws_launch_template"];

/// `DescribeLaunchTemplates`.
pub const READER: Reader =
    Reader { service: "ec2", types: TYPES, scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// The version that Terraform keeps in its state.
const LATEST: &str = "$Latest";

async fn read(cx: Context) -> Result<(), ReadError> {
    let templates = cx.ec2().describe_launch_templates().into_paginator().items().send().try_collect().await?;
    cx.for_each(templates, |cx, template| async move { one(&cx, &template).await }).await
}

async fn one(cx: &Context, template: &LaunchTemplate) -> Result<(), ReadError> {
    let Some(id) = template.launch_template_id() else {
        return Ok(());
    };
    let properties = Properties::new()
        .set("arn", cx.arn("ec2", format!("launch-template/{id}")))
        .told("default_version", template.default_version_number())
        .told("latest_version", template.latest_version_number())
        .set("name", template.launch_template_name())
        .tags(tags(template.tags()));
    let versions = cx.ec2().describe_launch_template_versions().launch_template_id(id).versions(LATEST).send().await;
    let properties = match versions.map_err(ReadError::from) {
        Ok(answer) => {
            answer.launch_template_versions().first().map_or(properties.clone(), |version| latest(properties, version))
        }
        Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
        Err(error) => {
            cx.unreadable(TYPES, error);
            properties
        }
    };
    cx.emit(cx.resource("aws_launch_template", id).properties(properties)).await;
    Ok(())
}

fn latest(properties: Properties, version: &LaunchTemplateVersion) -> Properties {
    let properties = properties.set("description", version.version_description());
    let Some(data) = version.launch_template_data() else {
        return properties;
    };
    let profile = data
        .iam_instance_profile()
        .map(|profile| Properties::new().set("arn", profile.arn()).set("name", profile.name()));
    let monitoring = data.monitoring().map(|monitoring| Properties::new().set("enabled", monitoring.enabled()));
    let credits = data.credit_specification().map(|credit| Properties::new().set("cpu_credits", credit.cpu_credits()));
    properties
        .block("credit_specification", credits)
        .set("disable_api_stop", data.disable_api_stop().unwrap_or_default())
        .set("disable_api_termination", data.disable_api_termination().unwrap_or_default())
        .set("ebs_optimized", data.ebs_optimized().map(|optimized| optimized.to_string()))
        .block("iam_instance_profile", profile)
        .set("image_id", data.image_id())
        .set(
            "instance_initiated_shutdown_behavior",
            data.instance_initiated_shutdown_behavior().map(ShutdownBehavior::as_str),
        )
        .set("instance_type", data.instance_type().map(InstanceType::as_str))
        .set("kernel_id", data.kernel_id())
        .set("key_name", data.key_name())
        .block("metadata_options", data.metadata_options().map(metadata))
        .block("monitoring", monitoring)
        .set("ram_disk_id", data.ram_disk_id())
        .set("security_group_names", data.security_groups())
        .set("vpc_security_group_ids", data.security_group_ids())
}

fn metadata(options: &LaunchTemplateInstanceMetadataOptions) -> Properties {
    Properties::new()
        .set("http_endpoint", options.http_endpoint().map(LaunchTemplateInstanceMetadataEndpointState::as_str))
        .set("http_protocol_ipv6", options.http_protocol_ipv6().map(LaunchTemplateInstanceMetadataProtocolIpv6::as_str))
        .set("http_put_response_hop_limit", options.http_put_response_hop_limit().unwrap_or_default())
        .set("http_tokens", options.http_tokens().map(LaunchTemplateHttpTokensState::as_str))
        .set(
            "instance_metadata_tags",
            options.instance_metadata_tags().map(LaunchTemplateInstanceMetadataTagsState::as_str),
        )
}
