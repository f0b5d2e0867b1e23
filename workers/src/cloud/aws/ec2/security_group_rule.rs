//! Security group rules as resources of their own.
//!
//! Terraform: `aws_vpc_security_group_ingress_rule`, `aws_vpc_security_group_egress_rule`, and the older
//! `aws_security_group_rule`, which drift matches against these.

use std::collections::HashSet;

use aws_sdk_ec2::types::ReferencedSecurityGroup;

use super::{filter, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeSecurityGroupRules`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// All protocols; ports then mean nothing.
const ALL_PROTOCOLS: &str = "-1";

async fn read(cx: Context) -> Result<(), ReadError> {
    let defaults = default_groups(&cx).await?;
    let mut rules = cx.ec2().describe_security_group_rules().into_paginator().items().send();
    while let Some(rule) = rules.try_next().await? {
        let (Some(id), Some(group_id)) = (rule.security_group_rule_id(), rule.group_id()) else {
            continue;
        };
        let provider_type = if rule.is_egress() == Some(true) {
            "aws_vpc_security_group_egress_rule"
        } else {
            "aws_vpc_security_group_ingress_rule"
        };
        let has_ports = rule.ip_protocol() != Some(ALL_PROTOCOLS);
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("security-group-rule/{id}")))
            .set("cidr_ipv4", rule.cidr_ipv4())
            .set("cidr_ipv6", rule.cidr_ipv6())
            .set("description", rule.description())
            .told("from_port", rule.from_port().filter(|_| has_ports))
            .set("ip_protocol", rule.ip_protocol())
            .set("prefix_list_id", rule.prefix_list_id())
            .set("referenced_security_group_id", rule.referenced_group_info().and_then(|group| referenced(&cx, group)))
            .set("security_group_id", group_id)
            .set("security_group_rule_id", id)
            .told("to_port", rule.to_port().filter(|_| has_ports))
            .tags(tags(rule.tags()));
        let draft = cx.resource(provider_type, id).properties(properties).part_of("aws_security_group", group_id);
        let draft =
            if defaults.contains(group_id) { draft.managed_by("rule of a default security group") } else { draft };
        cx.emit(draft).await;
    }
    Ok(())
}

/// The VPCs' own groups, whose first rules EC2 makes.
async fn default_groups(cx: &Context) -> Result<HashSet<String>, ReadError> {
    let by_name = filter("group-name", super::security_group::DEFAULT_NAME);
    let groups: Vec<_> =
        cx.ec2().describe_security_groups().filters(by_name).into_paginator().items().send().try_collect().await?;
    Ok(groups.into_iter().filter_map(|group| group.group_id).collect())
}

/// A peer group, with its account before it when that is another one.
fn referenced(cx: &Context, group: &ReferencedSecurityGroup) -> Option<String> {
    let id = group.group_id()?;
    match group.user_id() {
        Some(user) if user != cx.account_id() => Some(format!("{user}/{id}")),
        _ => Some(id.to_owned()),
    }
}
