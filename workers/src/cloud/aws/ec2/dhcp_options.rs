//! DHCP option sets. Terraform: `aws_vpc_dhcp_options`.

use aws_sdk_ec2::types::{DhcpConfiguration, DhcpOptions};

use super::{tags, unless_shared};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeDhcpOptions`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_vpc_dhcp_options"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// Terraform attribute and the API's key.
const LISTS: &[(&str, &str)] = &[
    ("domain_name_servers", "domain-name-servers"),
    ("netbios_name_servers", "netbios-name-servers"),
    ("ntp_servers", "ntp-servers"),
];
const SINGLES: &[(&str, &str)] = &[
    ("domain_name", "domain-name"),
    ("ipv6_address_preferred_lease_time", "ipv6-address-preferred-lease-time"),
    ("netbios_node_type", "netbios-node-type"),
];

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut sets = cx.ec2().describe_dhcp_options().into_paginator().items().send();
    while let Some(set) = sets.try_next().await? {
        let Some(id) = set.dhcp_options_id() else { continue };
        let mut properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("dhcp-options/{id}")))
            .set("owner_id", set.owner_id())
            .tags(tags(set.tags()));
        for (attribute, key) in LISTS {
            properties = properties.set(attribute, values(&set, key));
        }
        for (attribute, key) in SINGLES {
            properties = properties.set(attribute, values(&set, key).first());
        }
        let draft = unless_shared(&cx, cx.resource("aws_vpc_dhcp_options", id).properties(properties), set.owner_id());
        cx.emit(if is_default(&cx, &set) { draft.managed_by("default DHCP options") } else { draft }).await;
    }
    Ok(())
}

fn values<'a>(set: &'a DhcpOptions, key: &str) -> Vec<&'a str> {
    let configuration = set.dhcp_configurations().iter().find(|configuration| configuration.key() == Some(key));
    configuration.into_iter().flat_map(DhcpConfiguration::values).filter_map(|value| value.value()).collect()
}

/// Whether this is what EC2 gives each region. Source: VPC user guide, "DHCP option sets in Amazon VPC", the default set.
fn is_default(cx: &Context, set: &DhcpOptions) -> bool {
    let domain = match cx.region() {
        "us-east-1" => "ec2.internal".to_owned(),
        region => format!("{region}.compute.internal"),
    };
    let rest = ["netbios-name-servers", "ntp-servers", "ipv6-address-preferred-lease-time", "netbios-node-type"];
    values(set, "domain-name-servers") == ["AmazonProvidedDNS"]
        && values(set, "domain-name") == [domain.as_str()]
        && set.tags().is_empty()
        && rest.iter().all(|key| values(set, key).is_empty())
}
