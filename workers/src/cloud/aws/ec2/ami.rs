//! Machine images that this account owns. Terraform: `aws_ami`, and `aws_ami_copy` and `aws_ami_from_instance`, which read the same.

use aws_sdk_ec2::types::{ArchitectureValues, BootModeValues, ImdsSupportValues, TpmSupportValues, VirtualizationType};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeImages`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_ami"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut images = cx.ec2().describe_images().owners("self").into_paginator().items().send();
    while let Some(image) = images.try_next().await? {
        let Some(id) = image.image_id() else { continue };
        let properties = Properties::new()
            .told("architecture", image.architecture().map(ArchitectureValues::as_str))
            .set("boot_mode", image.boot_mode().map(BootModeValues::as_str))
            .set("deprecation_time", image.deprecation_time())
            .set("description", image.description())
            .told("ena_support", image.ena_support())
            .set("imds_support", image.imds_support().map(ImdsSupportValues::as_str))
            .set("name", image.name())
            .set("owner_id", image.owner_id())
            .told("public", image.public())
            .set("root_device_name", image.root_device_name())
            .set("tpm_support", image.tpm_support().map(TpmSupportValues::as_str))
            .told("virtualization_type", image.virtualization_type().map(VirtualizationType::as_str))
            .tags(tags(image.tags()));
        // AMIs have no account in their ARN. Source: Service Authorization Reference, EC2.
        let arn = format!("arn:{}:ec2:{}::image/{id}", cx.partition(), cx.region());
        cx.emit(cx.resource("aws_ami", id).arn(arn).properties(properties)).await;
    }
    Ok(())
}
