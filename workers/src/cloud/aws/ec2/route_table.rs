//! Route tables, with their routes and associations.
//!
//! Terraform: `aws_route_table` and `aws_default_route_table` (routes inside), `aws_route`, `aws_route_table_association`,
//! `aws_main_route_table_association`.

use aws_sdk_ec2::types::{Route, RouteOrigin, RouteTableAssociation};

use super::{default_vpc, tags, unless_shared};
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeRouteTables`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_route_table", "aws_route", "aws_route_table_association", "aws_main_route_table_association"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let default_vpc = default_vpc(&cx).await?;
    let mut tables = cx.ec2().describe_route_tables().into_paginator().items().send();
    while let Some(table) = tables.try_next().await? {
        let Some(id) = table.route_table_id() else { continue };
        let vpc_id = table.vpc_id().unwrap_or_default();
        let in_default_vpc = default_vpc.as_deref() == table.vpc_id();
        let routes: Vec<&Route> = table.routes().iter().filter(|route| is_declarable(route)).collect();
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("route-table/{id}")))
            .set("owner_id", table.owner_id())
            .set(
                "propagating_vgws",
                table.propagating_vgws().iter().filter_map(|vgw| vgw.gateway_id()).collect::<Vec<_>>(),
            )
            .blocks("route", routes.iter().map(|route| inline(route)))
            .set("vpc_id", table.vpc_id())
            .tags(tags(table.tags()));
        let draft = unless_shared(&cx, cx.resource("aws_route_table", id).properties(properties), table.owner_id());
        let is_main = table.associations().iter().any(|association| association.main() == Some(true));
        let draft = if is_main { draft.managed_by(format!("main route table of {vpc_id}")) } else { draft };
        cx.emit(draft).await;
        for route in routes {
            if let Some(draft) = as_resource(&cx, id, route) {
                let draft =
                    if is_main && in_default_vpc { draft.managed_by("route of the default VPC") } else { draft };
                cx.emit(draft).await;
            }
        }
        for association in table.associations() {
            if let Some(draft) = associated(&cx, association, table.vpc_id()) {
                cx.emit(draft).await;
            }
        }
    }
    Ok(())
}

/// Routes that a person can have made: not the VPC's own, not propagated ones, not those of gateway endpoints.
/// Source: terraform-provider-aws, `flattenRoutes`.
fn is_declarable(route: &Route) -> bool {
    let gateway = route.gateway_id().unwrap_or_default();
    let of_endpoint = route.destination_prefix_list_id().is_some() && gateway.starts_with("vpce-");
    gateway != "local" && route.origin() != Some(&RouteOrigin::EnableVgwRoutePropagation) && !of_endpoint
}

/// Where the route goes, under the names that both shapes share.
fn target(properties: Properties, route: &Route) -> Properties {
    let gateway = route.gateway_id().unwrap_or_default();
    let (endpoint, gateway) = if gateway.starts_with("vpce-") { (gateway, "") } else { ("", gateway) };
    properties
        .set("carrier_gateway_id", route.carrier_gateway_id().unwrap_or_default())
        .set("core_network_arn", route.core_network_arn().unwrap_or_default())
        .set("gateway_id", gateway)
        .set("local_gateway_id", route.local_gateway_id().unwrap_or_default())
        .set("nat_gateway_id", route.nat_gateway_id().unwrap_or_default())
        .set("network_interface_id", route.network_interface_id().unwrap_or_default())
        .set("transit_gateway_id", route.transit_gateway_id().unwrap_or_default())
        .set("vpc_endpoint_id", endpoint)
        .set("vpc_peering_connection_id", route.vpc_peering_connection_id().unwrap_or_default())
}

/// A route inside its table; `egress_only_gateway_id` is named so only here.
fn inline(route: &Route) -> Properties {
    target(Properties::new(), route)
        .set("cidr_block", route.destination_cidr_block().unwrap_or_default())
        .set("destination_prefix_list_id", route.destination_prefix_list_id().unwrap_or_default())
        .set("egress_only_gateway_id", route.egress_only_internet_gateway_id().unwrap_or_default())
        .set("ipv6_cidr_block", route.destination_ipv6_cidr_block().unwrap_or_default())
}

fn as_resource(cx: &Context, table_id: &str, route: &Route) -> Option<Draft> {
    let destination =
        route.destination_cidr_block().or(route.destination_ipv6_cidr_block()).or(route.destination_prefix_list_id())?;
    let properties = target(Properties::new(), route)
        .set("destination_cidr_block", route.destination_cidr_block())
        .set("destination_ipv6_cidr_block", route.destination_ipv6_cidr_block())
        .set("destination_prefix_list_id", route.destination_prefix_list_id())
        .set("egress_only_gateway_id", route.egress_only_internet_gateway_id())
        .set("route_table_id", table_id);
    let draft = cx.resource("aws_route", format!("{table_id}_{destination}"));
    Some(draft.properties(properties).part_of("aws_route_table", table_id))
}

fn associated(cx: &Context, association: &RouteTableAssociation, vpc_id: Option<&str>) -> Option<Draft> {
    let id = association.route_table_association_id()?;
    let table_id = association.route_table_id()?;
    let properties = Properties::new().set("route_table_id", table_id);
    let draft = if association.main() == Some(true) {
        cx.resource("aws_main_route_table_association", id)
            .properties(properties.set("vpc_id", vpc_id))
            .managed_by("every VPC has a main route table")
    } else {
        let properties =
            properties.set("gateway_id", association.gateway_id()).set("subnet_id", association.subnet_id());
        cx.resource("aws_route_table_association", id).properties(properties)
    };
    Some(draft.part_of("aws_route_table", table_id))
}
