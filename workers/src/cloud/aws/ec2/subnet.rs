//! Subnets. Terraform: `aws_subnet` and, for default ones, `aws_default_subnet`.

use aws_sdk_ec2::types::{HostnameType, PrivateDnsNameOptionsOnLaunch, SubnetCidrBlockState};

use super::{tags, unless_shared};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeSubnets`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_subnet"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut subnets = cx.ec2().describe_subnets().into_paginator().items().send();
    while let Some(subnet) = subnets.try_next().await? {
        let Some(id) = subnet.subnet_id() else { continue };
        let names = subnet.private_dns_name_options_on_launch();
        let ipv6 = subnet.ipv6_cidr_block_association_set().iter().find(|association| {
            let state = association.ipv6_cidr_block_state().and_then(SubnetCidrBlockState::state);
            state.is_some_and(|state| state.as_str() == "associated")
        });
        let properties = Properties::new()
            .set("arn", subnet.subnet_arn())
            .told("assign_ipv6_address_on_creation", subnet.assign_ipv6_address_on_creation())
            .set("availability_zone", subnet.availability_zone())
            .told("availability_zone_id", subnet.availability_zone_id())
            .set("cidr_block", subnet.cidr_block())
            .set("customer_owned_ipv4_pool", subnet.customer_owned_ipv4_pool())
            .told("enable_dns64", subnet.enable_dns64())
            .set("enable_lni_at_device_index", subnet.enable_lni_at_device_index().unwrap_or_default())
            .told(
                "enable_resource_name_dns_a_record_on_launch",
                names.and_then(PrivateDnsNameOptionsOnLaunch::enable_resource_name_dns_a_record),
            )
            .told(
                "enable_resource_name_dns_aaaa_record_on_launch",
                names.and_then(PrivateDnsNameOptionsOnLaunch::enable_resource_name_dns_aaaa_record),
            )
            .set("ipv6_cidr_block", ipv6.and_then(|association| association.ipv6_cidr_block()))
            .set("ipv6_cidr_block_association_id", ipv6.and_then(|association| association.association_id()))
            .told("ipv6_native", subnet.ipv6_native())
            .told("map_customer_owned_ip_on_launch", subnet.map_customer_owned_ip_on_launch())
            .told("map_public_ip_on_launch", subnet.map_public_ip_on_launch())
            .set("outpost_arn", subnet.outpost_arn())
            .set("owner_id", subnet.owner_id())
            .told(
                "private_dns_hostname_type_on_launch",
                names.and_then(|n| n.hostname_type()).map(HostnameType::as_str),
            )
            .set("vpc_id", subnet.vpc_id())
            .tags(tags(subnet.tags()));
        let draft = unless_shared(&cx, cx.resource("aws_subnet", id).properties(properties), subnet.owner_id());
        let draft = if subnet.default_for_az() == Some(true) {
            draft.managed_by("default subnet of the default VPC")
        } else {
            draft
        };
        cx.emit(draft).await;
    }
    Ok(())
}
