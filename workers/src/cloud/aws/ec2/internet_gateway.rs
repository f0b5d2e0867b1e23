//! Internet gateways. Terraform: `aws_internet_gateway`, `aws_internet_gateway_attachment`.

use super::{default_vpc, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeInternetGateways`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_internet_gateway", "aws_internet_gateway_attachment"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let default_vpc = default_vpc(&cx).await?;
    let mut gateways = cx.ec2().describe_internet_gateways().into_paginator().items().send();
    while let Some(gateway) = gateways.try_next().await? {
        let Some(id) = gateway.internet_gateway_id() else { continue };
        let vpc_id = gateway.attachments().first().and_then(|attachment| attachment.vpc_id());
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("internet-gateway/{id}")))
            .set("owner_id", gateway.owner_id())
            .set("vpc_id", vpc_id)
            .tags(tags(gateway.tags()));
        let draft = cx.resource("aws_internet_gateway", id).properties(properties);
        let of_default_vpc = vpc_id.is_some() && vpc_id == default_vpc.as_deref();
        cx.emit(if of_default_vpc { draft.managed_by("internet gateway of the default VPC") } else { draft }).await;
        if let Some(vpc_id) = vpc_id {
            let properties = Properties::new().set("internet_gateway_id", id).set("vpc_id", vpc_id);
            let draft = cx.resource("aws_internet_gateway_attachment", format!("{id}:{vpc_id}"));
            cx.emit(draft.properties(properties).part_of("aws_internet_gateway", id)).await;
        }
    }
    Ok(())
}
