//! Managed prefix lists and their entries. Terraform: `aws_ec2_managed_prefix_list`.
//!
//! AWS has its own lists in every account; those are not resources of the account and are not read.

use aws_sdk_ec2::types::{ManagedPrefixList, PrefixListEntry};

use super::{filter, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeManagedPrefixLists`.
pub const READER: Reader = Reader {
    service: "ec2",
    types: &["aws_ec2_managed_prefix_list"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let own = filter("owner-id", cx.account_id());
    let lists: Vec<ManagedPrefixList> =
        cx.ec2().describe_managed_prefix_lists().filters(own).into_paginator().items().send().try_collect().await?;
    let lists = lists.into_iter().filter(|list| list.owner_id() == Some(cx.account_id()));
    cx.for_each(lists, |cx, list| async move { one(&cx, &list).await }).await
}

async fn one(cx: &Context, list: &ManagedPrefixList) -> Result<(), ReadError> {
    let Some(id) = list.prefix_list_id() else {
        return Ok(());
    };
    let entries = cx.ec2().get_managed_prefix_list_entries().prefix_list_id(id).into_paginator().items().send();
    let entries: Vec<PrefixListEntry> = entries.try_collect().await?;
    let entries = entries.iter().map(|entry| {
        Properties::new().set("cidr", entry.cidr()).set("description", entry.description().unwrap_or_default())
    });
    let properties = Properties::new()
        .set("address_family", list.address_family())
        .set("arn", list.prefix_list_arn())
        .blocks("entry", entries)
        .set("max_entries", list.max_entries())
        .set("name", list.prefix_list_name())
        .set("owner_id", list.owner_id())
        .set("version", list.version())
        .tags(tags(list.tags()));
    cx.emit(cx.resource("aws_ec2_managed_prefix_list", id).properties(properties)).await;
    Ok(())
}
