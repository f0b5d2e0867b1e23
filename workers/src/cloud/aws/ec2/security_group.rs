//! Security groups, with their rules as Terraform has them inside the group.
//!
//! Terraform: `aws_security_group`, `aws_default_security_group`. The rules as resources of their own are another listing:
//! [`super::security_group_rule`].

use std::collections::BTreeMap;

use aws_sdk_ec2::types::IpPermission;

use super::{tags, unless_shared};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeSecurityGroups`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_security_group"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// The name that EC2 gives each VPC's own group, and that nobody else may use.
pub(super) const DEFAULT_NAME: &str = "default";

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut groups = cx.ec2().describe_security_groups().into_paginator().items().send();
    while let Some(group) = groups.try_next().await? {
        let Some(id) = group.group_id() else { continue };
        let owner = group.owner_id().unwrap_or_default();
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("security-group/{id}")))
            .set("description", group.description())
            .blocks("egress", rules(id, owner, group.ip_permissions_egress()))
            .blocks("ingress", rules(id, owner, group.ip_permissions()))
            .set("name", group.group_name())
            .set("owner_id", group.owner_id())
            .set("vpc_id", group.vpc_id())
            .tags(tags(group.tags()));
        let draft = unless_shared(&cx, cx.resource("aws_security_group", id).properties(properties), group.owner_id());
        let draft = if group.group_name() == Some(DEFAULT_NAME) {
            draft.managed_by(format!("default security group of {}", group.vpc_id().unwrap_or("EC2-Classic")))
        } else {
            draft
        };
        cx.emit(draft).await;
    }
    Ok(())
}

/// Ports, protocol and description: what sets one of Terraform's rule blocks apart from another.
type Key = (String, i32, i32, String);

/// Sources or targets of one block.
#[derive(Default)]
struct Peers {
    cidr_blocks: Vec<String>,
    ipv6_cidr_blocks: Vec<String>,
    prefix_list_ids: Vec<String>,
    security_groups: Vec<String>,
    this_group: bool,
}

/// EC2 groups peers by ports and protocol, each peer with its own description; Terraform has one block per ports,
/// protocol and description. Source: terraform-provider-aws, `securityGroupIPPermGather`.
fn rules(group_id: &str, owner: &str, permissions: &[IpPermission]) -> Vec<Properties> {
    let mut blocks: BTreeMap<Key, Peers> = BTreeMap::new();
    for permission in permissions {
        let key = |description: Option<&str>| {
            let protocol = permission.ip_protocol().unwrap_or_default().to_owned();
            let ports = (permission.from_port().unwrap_or_default(), permission.to_port().unwrap_or_default());
            (protocol, ports.0, ports.1, description.unwrap_or_default().to_owned())
        };
        for range in permission.ip_ranges() {
            blocks.entry(key(range.description())).or_default().cidr_blocks.extend(range.cidr_ip.clone());
        }
        for range in permission.ipv6_ranges() {
            blocks.entry(key(range.description())).or_default().ipv6_cidr_blocks.extend(range.cidr_ipv6.clone());
        }
        for list in permission.prefix_list_ids() {
            blocks.entry(key(list.description())).or_default().prefix_list_ids.extend(list.prefix_list_id.clone());
        }
        for pair in permission.user_id_group_pairs() {
            let peers = blocks.entry(key(pair.description())).or_default();
            match (pair.group_id(), pair.user_id()) {
                (Some(id), _) if id == group_id => peers.this_group = true,
                (Some(id), Some(user)) if user != owner => peers.security_groups.push(format!("{user}/{id}")),
                (Some(id), _) => peers.security_groups.push(id.to_owned()),
                (None, _) => {}
            }
        }
    }
    blocks.into_iter().map(|(key, peers)| block(key, peers)).collect()
}

fn block((protocol, from_port, to_port, description): Key, peers: Peers) -> Properties {
    Properties::new()
        .set("cidr_blocks", peers.cidr_blocks)
        .set("description", description)
        .set("from_port", from_port)
        .set("ipv6_cidr_blocks", peers.ipv6_cidr_blocks)
        .set("prefix_list_ids", peers.prefix_list_ids)
        .set("protocol", protocol)
        .set("security_groups", peers.security_groups)
        .set("self", peers.this_group)
        .set("to_port", to_port)
}
