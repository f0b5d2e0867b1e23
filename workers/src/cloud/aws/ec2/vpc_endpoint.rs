//! VPC endpoints. Terraform: `aws_vpc_endpoint`.

use aws_sdk_ec2::types::{DnsRecordIpType, IpAddressType, State, VpcEndpointType};

use super::{tags, unless_shared};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeVpcEndpoints`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_vpc_endpoint"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut endpoints = cx.ec2().describe_vpc_endpoints().into_paginator().items().send();
    while let Some(endpoint) = endpoints.try_next().await? {
        let gone = matches!(
            endpoint.state(),
            Some(State::Deleted | State::Deleting | State::Failed | State::Rejected | State::Expired)
        );
        let Some(id) = endpoint.vpc_endpoint_id().filter(|_| !gone) else {
            continue;
        };
        let dns = endpoint.dns_options().map(|dns| {
            Properties::new().set("dns_record_ip_type", dns.dns_record_ip_type().map(DnsRecordIpType::as_str)).set(
                "private_dns_only_for_inbound_resolver_endpoint",
                dns.private_dns_only_for_inbound_resolver_endpoint().unwrap_or_default(),
            )
        });
        let mut properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("vpc-endpoint/{id}")))
            .told("ip_address_type", endpoint.ip_address_type().map(IpAddressType::as_str))
            .told("owner_id", endpoint.owner_id())
            .told("policy", endpoint.policy_document())
            .told("private_dns_enabled", endpoint.private_dns_enabled())
            .told("requester_managed", endpoint.requester_managed())
            .set("route_table_ids", endpoint.route_table_ids())
            .set(
                "security_group_ids",
                endpoint.groups().iter().filter_map(|group| group.group_id()).collect::<Vec<_>>(),
            )
            .set("service_name", endpoint.service_name())
            .set("subnet_ids", endpoint.subnet_ids())
            .set("vpc_endpoint_type", endpoint.vpc_endpoint_type().map(VpcEndpointType::as_str))
            .set("vpc_id", endpoint.vpc_id())
            .tags(tags(endpoint.tags()));
        if dns.is_some() {
            properties = properties.block("dns_options", dns);
        }
        let draft = unless_shared(&cx, cx.resource("aws_vpc_endpoint", id).properties(properties), endpoint.owner_id());
        let by_service = endpoint.requester_managed() == Some(true);
        cx.emit(if by_service { draft.managed_by("made by an AWS service") } else { draft }).await;
    }
    Ok(())
}
