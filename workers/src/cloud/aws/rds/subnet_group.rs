//! Subnet groups. Terraform: `aws_db_subnet_group`.

use aws_sdk_rds::types::DbSubnetGroup;

use super::{tags, tags_of};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeDBSubnetGroups`; `ListTagsForResource` for each.
pub const READER: Reader =
    Reader { service: "rds", types: &["aws_db_subnet_group"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.rds().describe_db_subnet_groups().into_paginator().items().send();
    let groups = pages.collect::<Result<Vec<_>, _>>().await?;
    cx.for_each_allowed(groups, read_one).await
}

async fn read_one(cx: Context, group: DbSubnetGroup) -> Result<(), ReadError> {
    let (Some(name), Some(arn)) = (group.db_subnet_group_name(), group.db_subnet_group_arn()) else {
        return Ok(());
    };
    let Some(tagged) = tags_of(&cx, arn).await? else {
        return Ok(());
    };
    let mut draft = cx.resource("aws_db_subnet_group", name).properties(shape(&group).tags(tags(&tagged)));
    // RDS's console makes `default`, or `default-vpc-…`, when a database is made without one.
    if name == "default" || name.starts_with("default-vpc-") {
        draft = draft.managed_by("default subnet group");
    }
    cx.emit(draft).await;
    Ok(())
}

fn shape(group: &DbSubnetGroup) -> Properties {
    let subnets: Vec<_> = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier()).collect();
    Properties::new()
        .set("arn", group.db_subnet_group_arn())
        .set("name", group.db_subnet_group_name())
        .set("description", group.db_subnet_group_description())
        .set("subnet_ids", subnets)
        .set("supported_network_types", group.supported_network_types())
        .told("vpc_id", group.vpc_id())
}
