//! Network interfaces. Terraform: `aws_network_interface`.

use aws_sdk_ec2::types::{NetworkInterface, NetworkInterfaceAttachment, NetworkInterfaceType};

use super::tags;
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeNetworkInterfaces`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_network_interface"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut interfaces = cx.ec2().describe_network_interfaces().into_paginator().items().send();
    while let Some(interface) = interfaces.try_next().await? {
        let Some(id) = interface.network_interface_id() else { continue };
        let addresses = interface.private_ip_addresses().iter().filter_map(|address| address.private_ip_address());
        let ipv6 = interface.ipv6_addresses().iter().filter_map(|address| address.ipv6_address());
        let attachment = interface.attachment().filter(|attachment| attachment.instance_id().is_some());
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("network-interface/{id}")))
            .block("attachment", attachment.map(attached))
            .set("description", interface.description())
            .told("interface_type", interface.interface_type().map(NetworkInterfaceType::as_str))
            .set("ipv6_addresses", ipv6.collect::<Vec<_>>())
            .set("mac_address", interface.mac_address())
            .set("owner_id", interface.owner_id())
            .set("private_ip", interface.private_ip_address())
            .set("private_ips", addresses.collect::<Vec<_>>())
            .set("security_groups", interface.groups().iter().filter_map(|group| group.group_id()).collect::<Vec<_>>())
            .told("source_dest_check", interface.source_dest_check())
            .set("subnet_id", interface.subnet_id())
            .tags(tags(interface.tag_set()));
        let draft = cx.resource("aws_network_interface", id).properties(properties);
        cx.emit(owned(draft, &interface)).await;
    }
    Ok(())
}

fn attached(attachment: &NetworkInterfaceAttachment) -> Properties {
    Properties::new()
        .set("attachment_id", attachment.attachment_id())
        .set("device_index", attachment.device_index())
        .set("instance", attachment.instance_id())
}

/// Says who made an interface that nobody made by hand: an instance its first one, a service the ones it works through.
fn owned(draft: Draft, interface: &NetworkInterface) -> Draft {
    let attachment = interface.attachment();
    let instance = attachment.and_then(|attachment| attachment.instance_id());
    if interface.requester_managed() == Some(true) {
        draft.managed_by(format!("made by {}", interface.requester_id().unwrap_or("an AWS service")))
    } else if let Some(instance) = instance
        && attachment.and_then(NetworkInterfaceAttachment::device_index) == Some(0)
    {
        draft.managed_by(format!("interface of {instance}")).part_of("aws_instance", instance)
    } else {
        draft
    }
}
