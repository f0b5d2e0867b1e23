//! Log groups. Terraform: `aws_cloudwatch_log_group`.

use aws_sdk_cloudwatchlogs::types::{LogGroup, LogGroupClass};

use super::GONE;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `DescribeLogGroups`; `ListTagsForResource` for each.
pub const READER: Reader = Reader {
    service: "logs",
    types: &["aws_cloudwatch_log_group"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let listed = cx.cloudwatchlogs().describe_log_groups().set_log_group_name_prefix(cx.only().map(str::to_owned));
    let groups = listed.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
    cx.for_each_allowed(groups, read_one).await
}

async fn read_one(cx: Context, group: LogGroup) -> Result<(), ReadError> {
    let Some(name) = group.log_group_name() else {
        return Ok(());
    };
    let properties = shape(&group);
    let arn = cx.arn("logs", format!("log-group:{name}"));
    let asked = cx.cloudwatchlogs().list_tags_for_resource().resource_arn(&arn).send().await;
    if let Some(tagged) = asked.or_absent(GONE)? {
        let properties = properties.set("arn", arn).tags(tagged.tags.unwrap_or_default());
        cx.emit(cx.resource("aws_cloudwatch_log_group", name).properties(properties)).await;
    }
    Ok(())
}

/// `aws_cloudwatch_log_group` without ARN and tags. The ARN in the answer ends in `:*`, Terraform's does not.
fn shape(group: &LogGroup) -> Properties {
    Properties::new()
        .set("name", group.log_group_name())
        .set("kms_key_id", group.kms_key_id())
        .told("log_group_class", group.log_group_class().map(LogGroupClass::as_str))
        // Kept for ever is 0 in Terraform, and nothing in the answer.
        .set("retention_in_days", group.retention_in_days().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatchlogs::types::LogGroupClass;
    use serde_json::json;

    #[test]
    fn a_group_without_retention_keeps_for_ever() {
        let group = LogGroup::builder()
            .log_group_name("/app")
            .arn("arn:aws:logs:eu-west-1:123456789012:log-group:/app:*")
            .log_group_class(LogGroupClass::InfrequentAccess)
            .build();
        let expected = json!({
            "name": "/app", "kms_key_id": null, "log_group_class": "INFREQUENT_ACCESS", "retention_in_days": 0,
        });
        assert_eq!(json!(shape(&group)), expected);
    }
}
