//! Tables. Terraform: `aws_dynamodb_table`.

use aws_sdk_dynamodb::types::{TableStatus, Tag};

use super::shape;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListTables`; `DescribeTable`, `DescribeTimeToLive`, `DescribeContinuousBackups` and `ListTagsOfResource` for each.
pub const READER: Reader = Reader {
    service: "dynamodb",
    types: &["aws_dynamodb_table"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// What DynamoDB answers for a table that was deleted since it was listed.
const GONE: &[&str] = &["ResourceNotFoundException", "TableNotFoundException"];

/// Pages of tags of one table; it can have 50 tags, which are 5 pages.
const MOST_TAG_PAGES: usize = 20;

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.dynamodb().list_tables().into_paginator().items().send();
    let mut names = pages.collect::<Result<Vec<_>, _>>().await?;
    names.retain(|name| cx.only().is_none_or(|only| only == name));
    cx.for_each_allowed(names, |cx, name| async move {
        if let Some(properties) = properties(&cx, &name).await.or_absent(GONE)?.flatten() {
            cx.emit(cx.resource("aws_dynamodb_table", name).properties(properties)).await;
        }
        Ok(())
    })
    .await
}

/// The table's attributes; `None` while it is being deleted.
async fn properties(cx: &Context, name: &str) -> Result<Option<Properties>, ReadError> {
    let client = cx.dynamodb();
    let described = client.describe_table().table_name(name).send().await?;
    let Some(table) = described.table().filter(|table| table.table_status() != Some(&TableStatus::Deleting)) else {
        return Ok(None);
    };
    let Some(arn) = table.table_arn() else {
        return Err(ReadError::incomplete("DescribeTable", "the table's ARN"));
    };
    let time_to_live = client.describe_time_to_live().table_name(name).send().await?;
    let backups = client.describe_continuous_backups().table_name(name).send().await?;
    let tags = tags(cx, arn).await?;
    let recovery =
        backups.continuous_backups_description().and_then(|backups| backups.point_in_time_recovery_description());
    let properties = shape::table(table)
        .block("ttl", Some(shape::time_to_live(time_to_live.time_to_live_description())))
        .block("point_in_time_recovery", Some(shape::recovery(recovery)))
        .tags(tags.iter().map(|tag| (tag.key(), tag.value())));
    Ok(Some(properties))
}

/// The SDK has no paginator for these.
async fn tags(cx: &Context, arn: &str) -> Result<Vec<Tag>, ReadError> {
    let mut tags = Vec::new();
    let mut next = None;
    for _ in 0..MOST_TAG_PAGES {
        let asked = cx.dynamodb().list_tags_of_resource().resource_arn(arn).set_next_token(next);
        let page = asked.send().await?;
        tags.extend(page.tags.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(tags)
}
