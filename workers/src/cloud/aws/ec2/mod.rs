//! Readers of EC2: networks, firewalls, instances, volumes and images.

pub mod ami;
pub mod dhcp_options;
pub mod ebs_snapshot;
pub mod ebs_volume;
pub mod eip;
pub mod flow_log;
pub mod instance;
pub mod internet_gateway;
pub mod key_pair;
pub mod launch_template;
pub mod nat_gateway;
pub mod network_acl;
pub mod network_interface;
pub mod prefix_list;
pub mod route_table;
pub mod security_group;
pub mod security_group_rule;
pub mod subnet;
pub mod vpc;
pub mod vpc_endpoint;
pub mod vpc_peering;

use aws_sdk_ec2::types::{Filter, Tag};

use super::reader::{Context, Draft, Reader};
use crate::cloud::ReadError;

/// All readers of this service.
pub const READERS: &[Reader] = &[
    vpc::READER,
    subnet::READER,
    security_group::READER,
    security_group_rule::READER,
    route_table::READER,
    internet_gateway::READER,
    nat_gateway::READER,
    eip::READER,
    network_acl::READER,
    network_interface::READER,
    instance::READER,
    ebs_volume::READER,
    ebs_snapshot::READER,
    ami::READER,
    key_pair::READER,
    launch_template::READER,
    vpc_endpoint::READER,
    vpc_peering::READER,
    dhcp_options::READER,
    flow_log::READER,
    prefix_list::READER,
];

/// EC2's tags as pairs.
fn tags(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))
}

/// The value of one tag.
fn tag<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// A filter with one value.
fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Marks what another account shares with this one: it is seen here, but not this account's to declare.
fn unless_shared(cx: &Context, draft: Draft, owner: Option<&str>) -> Draft {
    match owner {
        Some(owner) if owner != cx.account_id() => draft.managed_by(format!("shared by account {owner}")),
        _ => draft,
    }
}

/// The region's default VPC, if it still has one.
async fn default_vpc(cx: &Context) -> Result<Option<String>, ReadError> {
    let answer = cx.ec2().describe_vpcs().filters(filter("is-default", "true")).send().await?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
}
