//! Topics. Terraform: `aws_sns_topic`, `aws_sns_topic_policy`.

use serde_json::Value;

use super::{Attributes, GONE, text};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListTopics`; `GetTopicAttributes` and `ListTagsForResource` for each.
pub const READER: Reader = Reader {
    service: "sns",
    types: &["aws_sns_topic", "aws_sns_topic_policy"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Attributes that are text: Terraform's name, SNS's name.
const TEXTS: &[(&str, &str)] = &[
    ("application_failure_feedback_role_arn", "ApplicationFailureFeedbackRoleArn"),
    ("application_success_feedback_role_arn", "ApplicationSuccessFeedbackRoleArn"),
    ("archive_policy", "ArchivePolicy"),
    ("delivery_policy", "DeliveryPolicy"),
    ("display_name", "DisplayName"),
    ("firehose_failure_feedback_role_arn", "FirehoseFailureFeedbackRoleArn"),
    ("firehose_success_feedback_role_arn", "FirehoseSuccessFeedbackRoleArn"),
    ("http_failure_feedback_role_arn", "HTTPFailureFeedbackRoleArn"),
    ("http_success_feedback_role_arn", "HTTPSuccessFeedbackRoleArn"),
    ("kms_master_key_id", "KmsMasterKeyId"),
    ("lambda_failure_feedback_role_arn", "LambdaFailureFeedbackRoleArn"),
    ("lambda_success_feedback_role_arn", "LambdaSuccessFeedbackRoleArn"),
    ("policy", "Policy"),
    ("sqs_failure_feedback_role_arn", "SQSFailureFeedbackRoleArn"),
    ("sqs_success_feedback_role_arn", "SQSSuccessFeedbackRoleArn"),
    ("tracing_config", "TracingConfig"),
];

/// Percentages that are 0 when they are left out: Terraform's name, SNS's name.
const SAMPLE_RATES: &[(&str, &str)] = &[
    ("application_success_feedback_sample_rate", "ApplicationSuccessFeedbackSampleRate"),
    ("firehose_success_feedback_sample_rate", "FirehoseSuccessFeedbackSampleRate"),
    ("http_success_feedback_sample_rate", "HTTPSuccessFeedbackSampleRate"),
    ("lambda_success_feedback_sample_rate", "LambdaSuccessFeedbackSampleRate"),
    ("sqs_success_feedback_sample_rate", "SQSSuccessFeedbackSampleRate"),
];

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.sns().list_topics().into_paginator().items().send();
    let topics = pages.collect::<Result<Vec<_>, _>>().await?;
    let arns =
        topics.into_iter().filter_map(|topic| topic.topic_arn).filter(|arn| cx.only().is_none_or(|only| only == arn));
    cx.for_each_allowed(arns, read_one).await
}

async fn read_one(cx: Context, arn: String) -> Result<(), ReadError> {
    let Some(answer) = cx.sns().get_topic_attributes().topic_arn(&arn).send().await.or_absent(GONE)? else {
        return Ok(());
    };
    let Some(tagged) = cx.sns().list_tags_for_resource().resource_arn(&arn).send().await.or_absent(GONE)? else {
        return Ok(());
    };
    let Some(attributes) = answer.attributes() else {
        return Err(ReadError::incomplete("GetTopicAttributes", "the attributes"));
    };
    let tags = tagged.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
    let properties = topic(&arn, attributes).tags(tags);
    cx.emit(cx.resource("aws_sns_topic", &arn).properties(properties)).await;

    if let Some(document) = text(attributes, "Policy") {
        let properties =
            Properties::new().set("arn", &arn).told("owner", text(attributes, "Owner")).set("policy", document);
        let mut draft = cx.resource("aws_sns_topic_policy", &arn).part_of("aws_sns_topic", &arn).properties(properties);
        if is_default_policy(document) {
            draft = draft.managed_by("default policy of the topic");
        }
        cx.emit(draft).await;
    }
    Ok(())
}

/// `aws_sns_topic` without tags.
fn topic(arn: &str, attributes: &Attributes) -> Properties {
    let number = |name| text(attributes, name).and_then(|value| value.parse::<i64>().ok());
    let is_set = |name| text(attributes, name) == Some("true");
    let mut properties = Properties::new()
        .set("arn", arn)
        .told("name", arn.rsplit(':').next())
        .told("owner", text(attributes, "Owner"))
        .set("content_based_deduplication", is_set("ContentBasedDeduplication"))
        .set("fifo_topic", is_set("FifoTopic"))
        .told("fifo_throughput_scope", text(attributes, "FifoThroughputScope"))
        .told("signature_version", number("SignatureVersion"));
    for (attribute, source) in TEXTS {
        properties = properties.set(attribute, text(attributes, source));
    }
    for (attribute, source) in SAMPLE_RATES {
        properties = properties.set(attribute, number(source).unwrap_or(0));
    }
    properties
}

/// Whether SNS wrote this policy when the topic was made.
fn is_default_policy(document: &str) -> bool {
    serde_json::from_str::<Value>(document).is_ok_and(|policy| {
        let statements = policy["Statement"].as_array();
        policy["Id"] == "__default_policy_ID"
            && statements.is_some_and(|all| all.len() == 1 && all[0]["Sid"] == "__default_statement_ID")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_sns_leaves_out_is_not_set() {
        let attributes = Attributes::from(
            [
                ("Owner", "123456789012"),
                ("FifoTopic", "true"),
                ("HTTPSuccessFeedbackSampleRate", "50"),
                ("SignatureVersion", "2"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let properties = topic("arn:aws:sns:eu-west-1:123456789012:orders.fifo", &attributes);
        assert_eq!(properties.get("name"), Some(&json!("orders.fifo")));
        assert_eq!(properties.get("fifo_topic"), Some(&json!(true)));
        assert_eq!(properties.get("signature_version"), Some(&json!(2)));
        assert_eq!(properties.get("http_success_feedback_sample_rate"), Some(&json!(50)));
        assert_eq!(properties.get("sqs_success_feedback_sample_rate"), Some(&json!(0)));
        assert_eq!(properties.get("policy"), Some(&Value::Null));
        assert_eq!(properties.get("fifo_throughput_scope"), None);
    }

    #[test]
    fn only_the_untouched_policy_is_the_default_one() {
        let mut policy = json!({"Id": "__default_policy_ID", "Statement": [{"Sid": "__default_statement_ID"}]});
        assert!(is_default_policy(&policy.to_string()));
        policy["Statement"] = json!([{"Sid": "__default_statement_ID"}, {"Sid": "added by hand"}]);
        assert!(!is_default_policy(&policy.to_string()));
        assert!(!is_default_policy("not json"));
    }
}
