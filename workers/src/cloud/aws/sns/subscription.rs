//! Subscriptions. Terraform: `aws_sns_topic_subscription`.
//!
//! A subscription that its endpoint has not confirmed yet is listed without its ARN (as `PendingConfirmation`), although
//! Terraform's state may hold it. It is emitted under `TOPIC:PendingConfirmation:PROTOCOL:ENDPOINT` with what the list says, and drift
//! finds it by these attributes.

use aws_sdk_sns::types::Subscription;

use super::{Attributes, GONE, text};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListSubscriptions`; `GetSubscriptionAttributes` for each.
pub const READER: Reader = Reader {
    service: "sns",
    types: &["aws_sns_topic_subscription"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Attributes that are text: Terraform's name, SNS's name.
const TEXTS: &[(&str, &str)] = &[
    ("delivery_policy", "DeliveryPolicy"),
    ("filter_policy", "FilterPolicy"),
    ("redrive_policy", "RedrivePolicy"),
    ("replay_policy", "ReplayPolicy"),
    ("subscription_role_arn", "SubscriptionRoleArn"),
];

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.sns().list_subscriptions().into_paginator().items().send();
    let subscriptions = pages.collect::<Result<Vec<_>, _>>().await?;
    cx.for_each_allowed(subscriptions, read_one).await
}

async fn read_one(cx: Context, subscription: Subscription) -> Result<(), ReadError> {
    match subscription.subscription_arn() {
        None | Some("Deleted") => {}
        Some("PendingConfirmation") => {
            let (id, properties) = pending(&subscription);
            cx.emit(cx.resource("aws_sns_topic_subscription", id).properties(properties)).await;
        }
        Some(arn) if cx.only().is_some_and(|only| only != arn) => {}
        Some(arn) => {
            let asked = cx.sns().get_subscription_attributes().subscription_arn(arn).send().await;
            if let Some(attributes) = asked.or_absent(GONE)?.and_then(|answer| answer.attributes) {
                let properties = confirmed(arn, &attributes);
                cx.emit(cx.resource("aws_sns_topic_subscription", arn).properties(properties)).await;
            }
        }
    }
    Ok(())
}

fn confirmed(arn: &str, attributes: &Attributes) -> Properties {
    let is_set = |name| text(attributes, name) == Some("true");
    let mut properties = Properties::new()
        .set("arn", arn)
        .told("endpoint", text(attributes, "Endpoint").filter(|endpoint| is_whole(endpoint)))
        .told("owner_id", text(attributes, "Owner"))
        .told("protocol", text(attributes, "Protocol"))
        .told("topic_arn", text(attributes, "TopicArn"))
        .told("filter_policy_scope", text(attributes, "FilterPolicyScope"))
        .set("confirmation_was_authenticated", is_set("ConfirmationWasAuthenticated"))
        .set("pending_confirmation", is_set("PendingConfirmation"))
        .set("raw_message_delivery", is_set("RawMessageDelivery"));
    for (attribute, source) in TEXTS {
        properties = properties.set(attribute, text(attributes, source));
    }
    properties
}

fn pending(subscription: &Subscription) -> (String, Properties) {
    let endpoint = subscription.endpoint().unwrap_or_default();
    let protocol = subscription.protocol().unwrap_or_default();
    let topic = subscription.topic_arn().unwrap_or_default();
    let properties = Properties::new()
        .told("endpoint", Some(endpoint).filter(|endpoint| is_whole(endpoint)))
        .set("owner_id", subscription.owner())
        .set("protocol", protocol)
        .set("topic_arn", topic)
        .set("pending_confirmation", true);
    (format!("{topic}:PendingConfirmation:{protocol}:{endpoint}"), properties)
}

/// Whether SNS tells the endpoint as it was set: it masks the password of a URL (`https://user:****@host`).
fn is_whole(endpoint: &str) -> bool {
    !endpoint.contains(":****@")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pending_subscription_says_only_what_the_list_says() {
        let subscription = Subscription::builder()
            .subscription_arn("PendingConfirmation")
            .topic_arn("arn:aws:sns:eu-west-1:123456789012:alarms")
            .protocol("email")
            .endpoint("ops@example.net")
            .owner("123456789012")
            .build();
        let (id, properties) = pending(&subscription);
        assert_eq!(id, "arn:aws:sns:eu-west-1:123456789012:alarms:PendingConfirmation:email:ops@example.net");
        assert_eq!(properties.get("pending_confirmation"), Some(&json!(true)));
        assert_eq!(properties.get("arn"), None);
        assert_eq!(properties.get("raw_message_delivery"), None);
    }

    #[test]
    fn a_masked_endpoint_is_not_compared() {
        let attributes = Attributes::from([("Endpoint".to_owned(), "https://user:****@example.net/hook".to_owned())]);
        assert_eq!(confirmed("arn", &attributes).get("endpoint"), None);
    }
}
