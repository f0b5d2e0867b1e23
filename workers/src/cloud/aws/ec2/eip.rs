//! Elastic IP addresses and what they are associated with. Terraform: `aws_eip`, `aws_eip_association`.

use aws_sdk_ec2::types::{DomainType, ServiceManaged};

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeAddresses`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_eip", "aws_eip_association"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let answer = cx.ec2().describe_addresses().send().await?;
    for address in answer.addresses() {
        let Some(id) = address.allocation_id() else { continue };
        let properties = Properties::new()
            .set("allocation_id", id)
            .set("arn", cx.arn("ec2", format!("elastic-ip/{id}")))
            .set("association_id", address.association_id())
            .set("carrier_ip", address.carrier_ip())
            .set("customer_owned_ip", address.customer_owned_ip())
            .set("customer_owned_ipv4_pool", address.customer_owned_ipv4_pool())
            .told("domain", address.domain().map(DomainType::as_str))
            .set("instance", address.instance_id())
            .told("network_border_group", address.network_border_group())
            .set("network_interface", address.network_interface_id())
            .set("private_ip", address.private_ip_address())
            .set("public_ip", address.public_ip())
            .told("public_ipv4_pool", address.public_ipv4_pool())
            .tags(tags(address.tags()));
        let draft = cx.resource("aws_eip", id).properties(properties);
        let service = address.service_managed().map(ServiceManaged::as_str);
        cx.emit(match service {
            Some(service) => draft.managed_by(format!("made by {service}")),
            None => draft,
        })
        .await;
        if let Some(association_id) = address.association_id() {
            let properties = Properties::new()
                .set("allocation_id", id)
                .set("instance_id", address.instance_id())
                .set("network_interface_id", address.network_interface_id())
                .set("private_ip_address", address.private_ip_address())
                .set("public_ip", address.public_ip());
            let draft = cx.resource("aws_eip_association", association_id).properties(properties);
            cx.emit(draft.part_of("aws_eip", id)).await;
        }
    }
    Ok(())
}
