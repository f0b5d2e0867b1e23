//! Internet gateways. Terraform: `aws_internet_gateway`.

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeInternetGateways`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_internet_gateway"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut gateways = cx.ec2().describe_internet_gateways().into_paginator().items().send();
    while let Some(gateway) = gateways.try_next().await? {
        let Some(id) = gateway.internet_gateway_id() else {
            continue;
        };
        let vpc_id = gateway.attachments().first().and_then(|attachment| attachment.vpc_id());
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("internet-gateway/{id}")))
            .set("owner_id", gateway.owner_id())
            .set("vpc_id", vpc_id)
            .tags(tags(gateway.tags()));
        cx.emit(cx.resource("aws_internet_gateway", id).properties(properties)).await;
    }
    Ok(())
}
