//! NAT gateways. Terraform: `aws_nat_gateway`.

use aws_sdk_ec2::types::{ConnectivityType, NatGatewayAddress, NatGatewayState};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeNatGateways`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_nat_gateway"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut gateways = cx.ec2().describe_nat_gateways().into_paginator().items().send();
    while let Some(gateway) = gateways.try_next().await? {
        let gone = matches!(
            gateway.state(),
            Some(NatGatewayState::Deleted | NatGatewayState::Deleting | NatGatewayState::Failed)
        );
        let Some(id) = gateway.nat_gateway_id().filter(|_| !gone) else {
            continue;
        };
        let addresses = gateway.nat_gateway_addresses();
        let (primary, secondary): (Vec<&NatGatewayAddress>, Vec<_>) = match addresses {
            // One address is the primary one, whether it says so or not.
            [only] => (vec![only], Vec::new()),
            several => several.iter().partition(|address| address.is_primary() == Some(true)),
        };
        let primary = primary.first();
        let properties = Properties::new()
            .set("allocation_id", primary.and_then(|address| address.allocation_id()))
            .told("connectivity_type", gateway.connectivity_type().map(ConnectivityType::as_str))
            .set("network_interface_id", primary.and_then(|address| address.network_interface_id()))
            .set("private_ip", primary.and_then(|address| address.private_ip()))
            .set("public_ip", primary.and_then(|address| address.public_ip()))
            .set(
                "secondary_allocation_ids",
                secondary.iter().filter_map(|address| address.allocation_id()).collect::<Vec<_>>(),
            )
            .set(
                "secondary_private_ip_addresses",
                secondary.iter().filter_map(|address| address.private_ip()).collect::<Vec<_>>(),
            )
            .set("subnet_id", gateway.subnet_id())
            .tags(tags(gateway.tags()));
        let draft = cx.resource("aws_nat_gateway", id).arn(cx.arn("ec2", format!("natgateway/{id}")));
        cx.emit(draft.properties(properties)).await;
    }
    Ok(())
}
