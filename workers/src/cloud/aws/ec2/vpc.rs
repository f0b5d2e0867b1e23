//! VPCs. Terraform: `aws_vpc` and, for the default one, `aws_default_vpc`.

use std::collections::HashMap;

use aws_sdk_ec2::types::{AttributeBooleanValue, Tenancy, Vpc, VpcAttributeName};

use super::{filter, tags, unless_shared};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

const TYPES: &[&str] = &["aws_vpc"];

/// `DescribeVpcs`.
pub const READER: Reader =
    Reader { service: "ec2", types: TYPES, scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// The association state of a CIDR block that counts.
const ASSOCIATED: &str = "associated";
/// `ipv6_pool` of a block that Amazon gave. Source: EC2 API reference, `VpcIpv6CidrBlockAssociation`.
const AMAZON_POOL: &str = "Amazon";

async fn read(cx: Context) -> Result<(), ReadError> {
    let vpcs = cx.ec2().describe_vpcs().into_paginator().items().send().try_collect().await?;
    let main_tables = main_route_tables(&cx).await;
    cx.for_each(vpcs, |cx, vpc| {
        let main_table = vpc.vpc_id().and_then(|id| main_tables.get(id).cloned());
        async move {
            one(&cx, &vpc, main_table).await;
            Ok(())
        }
    })
    .await
}

/// Main route tables by VPC; empty where they may not be listed, which the route tables' own reader reports.
async fn main_route_tables(cx: &Context) -> HashMap<String, String> {
    let tables = cx.ec2().describe_route_tables().filters(filter("association.main", "true")).into_paginator().items();
    let tables: Result<Vec<_>, _> = tables.send().try_collect().await;
    tables.unwrap_or_default().into_iter().filter_map(|table| Some((table.vpc_id?, table.route_table_id?))).collect()
}

async fn one(cx: &Context, vpc: &Vpc, main_table: Option<String>) {
    let Some(id) = vpc.vpc_id() else { return };
    let ipv6 = vpc.ipv6_cidr_block_association_set().iter().find(|association| {
        association
            .ipv6_cidr_block_state()
            .and_then(|state| state.state())
            .is_some_and(|state| state.as_str() == ASSOCIATED)
    });
    let amazon = ipv6.and_then(|association| association.ipv6_pool()) == Some(AMAZON_POOL);
    let properties = Properties::new()
        .set("arn", cx.arn("ec2", format!("vpc/{id}")))
        .set("assign_generated_ipv6_cidr_block", amazon)
        .set("cidr_block", vpc.cidr_block())
        .set("dhcp_options_id", vpc.dhcp_options_id())
        .set("instance_tenancy", vpc.instance_tenancy().map(Tenancy::as_str))
        .set("ipv6_association_id", ipv6.and_then(|association| association.association_id()))
        .set("ipv6_cidr_block", ipv6.and_then(|association| association.ipv6_cidr_block()))
        .told("main_route_table_id", main_table)
        .set("owner_id", vpc.owner_id())
        .tags(tags(vpc.tags()));
    let properties = attributes(cx, id, properties).await;
    let draft = unless_shared(cx, cx.resource("aws_vpc", id).properties(properties), vpc.owner_id());
    let draft = if vpc.is_default() == Some(true) { draft.managed_by("default VPC") } else { draft };
    cx.emit(draft).await;
}

/// What `DescribeVpcs` leaves out, one call each.
async fn attributes(cx: &Context, id: &str, mut properties: Properties) -> Properties {
    let ask = |name| cx.ec2().describe_vpc_attribute().vpc_id(id).attribute(name).send();
    for name in [
        VpcAttributeName::EnableDnsHostnames,
        VpcAttributeName::EnableDnsSupport,
        VpcAttributeName::EnableNetworkAddressUsageMetrics,
    ] {
        match ask(name).await {
            Ok(answer) => {
                let value =
                    |attribute: Option<&AttributeBooleanValue>| attribute.and_then(AttributeBooleanValue::value);
                properties = properties
                    .told("enable_dns_hostnames", value(answer.enable_dns_hostnames()))
                    .told("enable_dns_support", value(answer.enable_dns_support()))
                    .told("enable_network_address_usage_metrics", value(answer.enable_network_address_usage_metrics()));
            }
            Err(error) => cx.unreadable(TYPES, error.into()),
        }
    }
    properties
}
