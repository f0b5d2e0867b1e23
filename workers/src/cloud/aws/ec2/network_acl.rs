//! Network ACLs and their rules. Terraform: `aws_network_acl`, `aws_default_network_acl`, `aws_network_acl_rule`.

use aws_sdk_ec2::types::{IcmpTypeCode, NetworkAclEntry, PortRange, RuleAction};

use super::{tags, unless_shared};
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeNetworkAcls`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_network_acl", "aws_network_acl_rule"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Numbers from here on are EC2's own closing rules (32767 for IPv4, 32768 for IPv6).
const CLOSING_RULES: i32 = 32767;

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut acls = cx.ec2().describe_network_acls().into_paginator().items().send();
    while let Some(acl) = acls.try_next().await? {
        let Some(id) = acl.network_acl_id() else { continue };
        let entries =
            || acl.entries().iter().filter(|entry| entry.rule_number().is_some_and(|number| number < CLOSING_RULES));
        let (egress, ingress): (Vec<_>, Vec<_>) = entries().partition(|entry| entry.egress() == Some(true));
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("network-acl/{id}")))
            .blocks("egress", egress.into_iter().map(inline))
            .blocks("ingress", ingress.into_iter().map(inline))
            .set("owner_id", acl.owner_id())
            .set(
                "subnet_ids",
                acl.associations().iter().filter_map(|association| association.subnet_id()).collect::<Vec<_>>(),
            )
            .set("vpc_id", acl.vpc_id())
            .tags(tags(acl.tags()));
        let draft = unless_shared(&cx, cx.resource("aws_network_acl", id).properties(properties), acl.owner_id());
        let default = (acl.is_default() == Some(true))
            .then(|| format!("default network ACL of {}", acl.vpc_id().unwrap_or_default()));
        cx.emit(marked(draft, default.as_ref())).await;
        for entry in entries() {
            let draft = as_resource(&cx, id, entry).part_of("aws_network_acl", id);
            cx.emit(marked(draft, default.as_ref())).await;
        }
    }
    Ok(())
}

fn marked(draft: Draft, managed_by: Option<&String>) -> Draft {
    match managed_by {
        Some(why) => draft.managed_by(why),
        None => draft,
    }
}

fn action(entry: &NetworkAclEntry) -> Option<&str> {
    entry.rule_action().map(RuleAction::as_str)
}

/// A rule inside its ACL, where absent ports and ICMP values are 0.
fn inline(entry: &NetworkAclEntry) -> Properties {
    let (ports, icmp) = (entry.port_range(), entry.icmp_type_code());
    Properties::new()
        .set("action", action(entry))
        .set("cidr_block", entry.cidr_block().unwrap_or_default())
        .set("from_port", ports.and_then(PortRange::from).unwrap_or_default())
        .set("icmp_code", icmp.and_then(IcmpTypeCode::code).unwrap_or_default())
        .set("icmp_type", icmp.and_then(IcmpTypeCode::r#type).unwrap_or_default())
        .set("ipv6_cidr_block", entry.ipv6_cidr_block().unwrap_or_default())
        .set("protocol", entry.protocol())
        .set("rule_no", entry.rule_number())
        .set("to_port", ports.and_then(PortRange::to).unwrap_or_default())
}

fn as_resource(cx: &Context, acl_id: &str, entry: &NetworkAclEntry) -> Draft {
    let (ports, icmp) = (entry.port_range(), entry.icmp_type_code());
    let number = entry.rule_number().unwrap_or_default();
    let egress = entry.egress().unwrap_or_default();
    let properties = Properties::new()
        .set("cidr_block", entry.cidr_block())
        .set("egress", egress)
        .told("from_port", ports.and_then(PortRange::from))
        .told("icmp_code", icmp.and_then(IcmpTypeCode::code))
        .told("icmp_type", icmp.and_then(IcmpTypeCode::r#type))
        .set("ipv6_cidr_block", entry.ipv6_cidr_block())
        .set("network_acl_id", acl_id)
        .set("protocol", entry.protocol())
        .set("rule_action", action(entry))
        .set("rule_number", number)
        .told("to_port", ports.and_then(PortRange::to));
    let protocol = entry.protocol().unwrap_or_default();
    cx.resource("aws_network_acl_rule", format!("{acl_id}:{number}:{protocol}:{egress}")).properties(properties)
}
