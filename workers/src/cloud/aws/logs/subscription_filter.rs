//! Subscription filters. Terraform: `aws_cloudwatch_log_subscription_filter`.

use aws_sdk_cloudwatchlogs::types::{Distribution, LogGroupClass, SubscriptionFilter};

use super::GONE;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `DescribeLogGroups`; `DescribeSubscriptionFilters` for each, since there is no list of all.
pub const READER: Reader = Reader {
    service: "logs",
    types: &["aws_cloudwatch_log_subscription_filter"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.cloudwatchlogs().describe_log_groups().into_paginator().items().send();
    let groups = pages.collect::<Result<Vec<_>, _>>().await?;
    let names = groups
        .into_iter()
        // Groups of the other classes can have none, and refuse the question.
        .filter(|group| matches!(group.log_group_class(), None | Some(LogGroupClass::Standard)))
        .filter_map(|group| group.log_group_name)
        .filter(|name| cx.only().and_then(|only| only.split('|').next()).is_none_or(|only| only == name));
    cx.for_each_allowed(names, read_one).await
}

async fn read_one(cx: Context, group: String) -> Result<(), ReadError> {
    let listed = cx.cloudwatchlogs().describe_subscription_filters().log_group_name(&group);
    let filters = listed.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    for filter in filters.or_absent(GONE)?.unwrap_or_default() {
        let Some(name) = filter.filter_name() else {
            continue;
        };
        let draft = cx
            .resource("aws_cloudwatch_log_subscription_filter", format!("{group}|{name}"))
            .part_of("aws_cloudwatch_log_group", &group)
            .properties(shape(&filter));
        cx.emit(draft).await;
    }
    Ok(())
}

fn shape(filter: &SubscriptionFilter) -> Properties {
    Properties::new()
        .set("name", filter.filter_name())
        .set("log_group_name", filter.log_group_name())
        .set("destination_arn", filter.destination_arn())
        .told("distribution", filter.distribution().map(Distribution::as_str))
        .set("filter_pattern", filter.filter_pattern())
        .set("role_arn", filter.role_arn())
}
