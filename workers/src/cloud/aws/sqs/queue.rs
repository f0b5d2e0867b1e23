//! Queues and the three policies that Terraform also knows as resources of their own.
//! Terraform: `aws_sqs_queue`, `aws_sqs_queue_policy`, `aws_sqs_queue_redrive_policy`, `aws_sqs_queue_redrive_allow_policy`.
//!
//! The queue's URL is its id everywhere, so `url` and `queue_url` are no attributes here: they differ by endpoint, never by drift.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListQueues`; `GetQueueAttributes` and `ListQueueTags` for each.
pub const READER: Reader = Reader {
    service: "sqs",
    types: &[
        "aws_sqs_queue",
        "aws_sqs_queue_policy",
        "aws_sqs_queue_redrive_allow_policy",
        "aws_sqs_queue_redrive_policy",
    ],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// What SQS answers for a queue that was deleted (up to a minute ago, while it is still listed), in its two protocols.
const GONE: &[&str] = &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

/// Queues a page. `ListQueues` pages only when it is given a size.
const PAGE: i32 = 1000;

type Attributes = HashMap<QueueAttributeName, String>;

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.sqs().list_queues().max_results(PAGE).into_paginator().items().send();
    let mut urls = pages.collect::<Result<Vec<_>, _>>().await?;
    urls.retain(|url| cx.only().is_none_or(|only| only == url));
    cx.for_each_allowed(urls, read_one).await
}

async fn read_one(cx: Context, url: String) -> Result<(), ReadError> {
    let asked = cx.sqs().get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let Some(answer) = asked.send().await.or_absent(GONE)? else {
        return Ok(());
    };
    let Some(tagged) = cx.sqs().list_queue_tags().queue_url(&url).send().await.or_absent(GONE)? else {
        return Ok(());
    };
    let Some(attributes) = answer.attributes() else {
        return Err(ReadError::incomplete("GetQueueAttributes", "the attributes"));
    };
    let properties = queue(attributes).tags(tagged.tags.unwrap_or_default());
    cx.emit(cx.resource("aws_sqs_queue", &url).properties(properties)).await;

    let split = [
        ("aws_sqs_queue_policy", "policy", QueueAttributeName::Policy),
        ("aws_sqs_queue_redrive_policy", "redrive_policy", QueueAttributeName::RedrivePolicy),
        ("aws_sqs_queue_redrive_allow_policy", "redrive_allow_policy", QueueAttributeName::RedriveAllowPolicy),
    ];
    for (provider_type, attribute, source) in split {
        if let Some(document) = text(attributes, &source) {
            let draft = cx
                .resource(provider_type, &url)
                .part_of("aws_sqs_queue", &url)
                .properties(Properties::new().set(attribute, document));
            cx.emit(draft).await;
        }
    }
    Ok(())
}

/// `aws_sqs_queue` without tags.
fn queue(attributes: &Attributes) -> Properties {
    use QueueAttributeName as Name;
    let arn = text(attributes, &Name::QueueArn);
    let number = |name| text(attributes, &name).and_then(|value| value.parse::<i64>().ok());
    let is_set = |name| text(attributes, &name) == Some("true");
    Properties::new()
        .told("arn", arn)
        .told("name", arn.and_then(|arn| arn.rsplit(':').next()))
        // Standard queues have neither of these; Terraform writes false and "".
        .set("content_based_deduplication", is_set(Name::ContentBasedDeduplication))
        .set("fifo_queue", is_set(Name::FifoQueue))
        .set("deduplication_scope", text(attributes, &Name::DeduplicationScope))
        .set("fifo_throughput_limit", text(attributes, &Name::FifoThroughputLimit))
        .told("delay_seconds", number(Name::DelaySeconds))
        // Left out of the answer unless the queue has a KMS key; Terraform keeps its default then.
        .told("kms_data_key_reuse_period_seconds", number(Name::KmsDataKeyReusePeriodSeconds))
        .set("kms_master_key_id", text(attributes, &Name::KmsMasterKeyId))
        .told("max_message_size", number(Name::MaximumMessageSize))
        .told("message_retention_seconds", number(Name::MessageRetentionPeriod))
        .set("policy", text(attributes, &Name::Policy))
        .told("receive_wait_time_seconds", number(Name::ReceiveMessageWaitTimeSeconds))
        .set("redrive_allow_policy", text(attributes, &Name::RedriveAllowPolicy))
        .set("redrive_policy", text(attributes, &Name::RedrivePolicy))
        .told("sqs_managed_sse_enabled", text(attributes, &Name::SqsManagedSseEnabled).map(|value| value == "true"))
        .told("visibility_timeout_seconds", number(Name::VisibilityTimeout))
}

/// An attribute that is there and not empty.
fn text<'a>(attributes: &'a Attributes, name: &QueueAttributeName) -> Option<&'a str> {
    attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_fifo_queue_in_terraforms_shape() {
        use QueueAttributeName as Name;
        let attributes = Attributes::from(
            [
                (Name::QueueArn, "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"),
                (Name::FifoQueue, "true"),
                (Name::ContentBasedDeduplication, "true"),
                (Name::DeduplicationScope, "messageGroup"),
                (Name::FifoThroughputLimit, "perMessageGroupId"),
                (Name::DelaySeconds, "5"),
                (Name::MaximumMessageSize, "2048"),
                (Name::SqsManagedSseEnabled, "false"),
                (Name::KmsMasterKeyId, "alias/orders"),
                (Name::Policy, ""),
            ]
            .map(|(name, value)| (name, value.to_owned())),
        );
        let properties = queue(&attributes).into_map();
        let expected = json!({
            "arn": "arn:aws:sqs:eu-west-1:123456789012:orders.fifo", "name": "orders.fifo",
            "content_based_deduplication": true, "fifo_queue": true, "deduplication_scope": "messageGroup",
            "fifo_throughput_limit": "perMessageGroupId", "delay_seconds": 5, "kms_master_key_id": "alias/orders",
            "max_message_size": 2048, "policy": null, "redrive_allow_policy": null, "redrive_policy": null,
            "sqs_managed_sse_enabled": false,
        });
        assert_eq!(Value::Object(properties), expected);
    }
}
