//! VPC peering connections, from whichever side this account is on.
//!
//! Terraform: `aws_vpc_peering_connection` for who asked, `aws_vpc_peering_connection_accepter` for who only accepted.

use aws_sdk_ec2::types::{VpcPeeringConnectionStateReasonCode as Code, VpcPeeringConnectionVpcInfo};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeVpcPeeringConnections`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_vpc_peering_connection", "aws_vpc_peering_connection_accepter"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut peerings = cx.ec2().describe_vpc_peering_connections().into_paginator().items().send();
    while let Some(peering) = peerings.try_next().await? {
        let (Some(id), Some(status)) =
            (peering.vpc_peering_connection_id(), peering.status().and_then(|status| status.code()))
        else {
            continue;
        };
        if !matches!(status, Code::Active | Code::PendingAcceptance | Code::Provisioning | Code::InitiatingRequest) {
            continue;
        }
        let (requester, accepter) = (peering.requester_vpc_info(), peering.accepter_vpc_info());
        let is_here = |side: Option<&VpcPeeringConnectionVpcInfo>| {
            side.is_some_and(|side| {
                side.owner_id() == Some(cx.account_id()) && side.region().is_none_or(|region| region == cx.region())
            })
        };
        let (provider_type, own, peer) = if is_here(requester) {
            ("aws_vpc_peering_connection", requester, accepter)
        } else {
            ("aws_vpc_peering_connection_accepter", accepter, requester)
        };
        let properties = Properties::new()
            .set("accept_status", status.as_str())
            .set("peer_owner_id", peer.and_then(VpcPeeringConnectionVpcInfo::owner_id))
            .told("peer_region", peer.and_then(VpcPeeringConnectionVpcInfo::region))
            .set("peer_vpc_id", peer.and_then(VpcPeeringConnectionVpcInfo::vpc_id))
            .set("vpc_id", own.and_then(VpcPeeringConnectionVpcInfo::vpc_id))
            .tags(tags(peering.tags()));
        let properties = side(side(properties, "requester", requester), "accepter", accepter);
        let draft = cx.resource(provider_type, id).arn(cx.arn("ec2", format!("vpc-peering-connection/{id}")));
        cx.emit(draft.properties(properties)).await;
    }
    Ok(())
}

/// A side's options, which only an active connection has.
fn side(properties: Properties, name: &str, info: Option<&VpcPeeringConnectionVpcInfo>) -> Properties {
    match info.and_then(VpcPeeringConnectionVpcInfo::peering_options) {
        Some(options) => {
            let dns = options.allow_dns_resolution_from_remote_vpc().unwrap_or_default();
            properties.block(name, Some(Properties::new().set("allow_remote_vpc_dns_resolution", dns)))
        }
        None => properties,
    }
}
