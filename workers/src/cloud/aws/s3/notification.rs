//! `aws_s3_bucket_notification`. Every bucket answers, mostly with nothing; Terraform then keeps the resource and finds its
//! targets gone.

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{Event, NotificationConfigurationFilter};

use super::bucket::{Bucket, Setting};
use crate::cloud::{Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_notification_configuration().bucket(&bucket.name).send().await?;
    let nothing = answer.topic_configurations().is_empty()
        && answer.queue_configurations().is_empty()
        && answer.lambda_function_configurations().is_empty()
        && answer.event_bridge_configuration.is_none();
    let properties = properties(&answer);
    Ok(if nothing { Setting::Default(properties) } else { Setting::Chosen(properties) })
}

fn properties(answer: &GetBucketNotificationConfigurationOutput) -> Properties {
    let topics = answer
        .topic_configurations()
        .iter()
        .map(|target| notification(target.id(), target.events(), target.filter()).set("topic_arn", &target.topic_arn));
    let queues = answer
        .queue_configurations()
        .iter()
        .map(|target| notification(target.id(), target.events(), target.filter()).set("queue_arn", &target.queue_arn));
    let functions = answer.lambda_function_configurations().iter().map(|target| {
        notification(target.id(), target.events(), target.filter())
            .set("lambda_function_arn", &target.lambda_function_arn)
    });
    Properties::new()
        .set("eventbridge", answer.event_bridge_configuration.is_some())
        .blocks("topic", topics)
        .blocks("queue", queues)
        .blocks("lambda_function", functions)
}

fn notification(id: Option<&str>, events: &[Event], filter: Option<&NotificationConfigurationFilter>) -> Properties {
    let events: Vec<&str> = events.iter().map(Event::as_str).collect();
    Properties::new()
        .set("id", id)
        .set("events", events)
        .set("filter_prefix", key_rule(filter, "prefix"))
        .set("filter_suffix", key_rule(filter, "suffix"))
}

/// S3 answers `Prefix` or `prefix`, whichever was sent.
fn key_rule<'a>(filter: Option<&'a NotificationConfigurationFilter>, name: &str) -> Option<&'a str> {
    let rules = filter?.key()?.filter_rules();
    let named = |rule: &&aws_sdk_s3::types::FilterRule| {
        rule.name().is_some_and(|found| found.as_str().eq_ignore_ascii_case(name))
    };
    rules.iter().find(named).and_then(|rule| rule.value())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{EventBridgeConfiguration, FilterRule, FilterRuleName, QueueConfiguration, S3KeyFilter};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_queue_with_a_filter_and_eventbridge() {
        let suffix = FilterRule::builder().name(FilterRuleName::from("Suffix")).value(".jpg").build();
        let filter =
            NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(suffix).build()).build();
        let queue = QueueConfiguration::builder()
            .id("tf-s3-queue-1")
            .queue_arn("arn:aws:sqs:eu-west-1:1:q")
            .events(Event::S3ObjectCreated)
            .filter(filter)
            .build()
            .unwrap();
        let answer = GetBucketNotificationConfigurationOutput::builder()
            .queue_configurations(queue)
            .event_bridge_configuration(EventBridgeConfiguration::builder().build())
            .build();
        assert_eq!(
            Value::from(properties(&answer)),
            json!({
                "eventbridge": true,
                "topic": [],
                "queue": [{
                    "id": "tf-s3-queue-1",
                    "queue_arn": "arn:aws:sqs:eu-west-1:1:q",
                    "events": ["s3:ObjectCreated:*"],
                    "filter_prefix": null,
                    "filter_suffix": ".jpg",
                }],
                "lambda_function": [],
            })
        );
    }
}
