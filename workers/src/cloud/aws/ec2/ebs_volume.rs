//! EBS volumes and their attachments. Terraform: `aws_ebs_volume`, `aws_volume_attachment`.

use aws_sdk_ec2::types::{VolumeAttachment, VolumeType};

use super::tags;
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeVolumes`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_ebs_volume", "aws_volume_attachment"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Device names under which instances have their root volume. Source: EC2 user guide, "Device names on Linux instances".
const ROOT_DEVICES: &[&str] = &["/dev/sda1", "/dev/xvda"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut volumes = cx.ec2().describe_volumes().into_paginator().items().send();
    while let Some(volume) = volumes.try_next().await? {
        let Some(id) = volume.volume_id() else { continue };
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("volume/{id}")))
            .set("availability_zone", volume.availability_zone())
            .set("encrypted", volume.encrypted())
            .set("iops", volume.iops().unwrap_or_default())
            .set("kms_key_id", volume.kms_key_id())
            .told("multi_attach_enabled", volume.multi_attach_enabled())
            .set("outpost_arn", volume.outpost_arn())
            .set("size", volume.size())
            .set("snapshot_id", volume.snapshot_id())
            .set("throughput", volume.throughput().unwrap_or_default())
            .set("type", volume.volume_type().map(VolumeType::as_str))
            .tags(tags(volume.tags()));
        let draft = cx.resource("aws_ebs_volume", id).properties(properties);
        cx.emit(owned(draft, volume.attachments())).await;
        for attachment in volume.attachments().iter().filter(|attachment| !came_with_instance(attachment)) {
            if let Some(draft) = as_resource(&cx, id, attachment) {
                cx.emit(draft).await;
            }
        }
    }
    Ok(())
}

/// A root volume, or one that goes away with its instance, was made with it; one that was attached later stays.
fn came_with_instance(attachment: &VolumeAttachment) -> bool {
    is_root(attachment) || attachment.delete_on_termination() == Some(true)
}

fn is_root(attachment: &VolumeAttachment) -> bool {
    attachment.device().is_some_and(|device| ROOT_DEVICES.contains(&device))
}

fn owned(draft: Draft, attachments: &[VolumeAttachment]) -> Draft {
    let made_with = attachments.iter().find(|attachment| came_with_instance(attachment));
    let Some((attachment, instance)) = made_with.and_then(|attachment| Some((attachment, attachment.instance_id()?)))
    else {
        return draft;
    };
    let what = if is_root(attachment) { "root volume" } else { "volume" };
    draft.managed_by(format!("{what} of {instance}")).part_of("aws_instance", instance)
}

fn as_resource(cx: &Context, volume_id: &str, attachment: &VolumeAttachment) -> Option<Draft> {
    let (device, instance) = (attachment.device()?, attachment.instance_id()?);
    let properties =
        Properties::new().set("device_name", device).set("instance_id", instance).set("volume_id", volume_id);
    let draft = cx.resource("aws_volume_attachment", format!("{device}:{volume_id}:{instance}"));
    Some(draft.properties(properties).part_of("aws_instance", instance))
}
