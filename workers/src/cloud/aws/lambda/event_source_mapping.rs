//! What feeds a function: queues, streams and brokers. Terraform: `aws_lambda_event_source_mapping`.

use aws_sdk_lambda::types::{
    EventSourceMappingConfiguration, EventSourceMappingMetric, EventSourcePosition, FullDocument, FunctionResponseType,
    ScalingConfig, SourceAccessType,
};

use super::GONE;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListEventSourceMappings`; `ListTags` for each.
pub const READER: Reader = Reader {
    service: "lambda",
    types: &["aws_lambda_event_source_mapping"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.lambda().list_event_source_mappings().into_paginator().items().send();
    let mappings = pages.collect::<Result<Vec<_>, _>>().await?;
    cx.for_each_allowed(mappings, read_one).await
}

async fn read_one(cx: Context, mapping: EventSourceMappingConfiguration) -> Result<(), ReadError> {
    let Some(id) = mapping.uuid().filter(|_| mapping.state() != Some("Deleting")) else {
        return Ok(());
    };
    let mut properties = shape(&mapping);
    if let Some(arn) = mapping.event_source_mapping_arn() {
        let asked = cx.lambda().list_tags().resource(arn).send().await;
        if let Some(tagged) = asked.or_absent(GONE)? {
            properties = properties.tags(tagged.tags.unwrap_or_default());
        }
    }
    cx.emit(cx.resource("aws_lambda_event_source_mapping", id).properties(properties)).await;
    Ok(())
}

fn shape(mapping: &EventSourceMappingConfiguration) -> Properties {
    let enabled = match mapping.state() {
        Some("Enabled" | "Enabling") => Some(true),
        Some("Disabled" | "Disabling") => Some(false),
        _ => None,
    };
    let failure = mapping.destination_config().and_then(|to| to.on_failure()).and_then(|to| to.destination());
    let failure = failure.map(|arn| {
        let target = Properties::new().set("destination_arn", arn);
        Properties::new().block("on_failure", Some(target))
    });
    let responses: Vec<_> = mapping.function_response_types().iter().map(FunctionResponseType::as_str).collect();
    let properties = Properties::new()
        .told("arn", mapping.event_source_mapping_arn())
        .told("batch_size", mapping.batch_size())
        .told("bisect_batch_on_function_error", mapping.bisect_batch_on_function_error())
        .block("destination_config", failure)
        .told("enabled", enabled)
        .set("event_source_arn", mapping.event_source_arn())
        .set("function_arn", mapping.function_arn())
        // Terraform reads the ARN back, whatever was written.
        .set("function_name", mapping.function_arn())
        .set("function_response_types", responses)
        .set("kms_key_arn", mapping.kms_key_arn())
        .told("maximum_batching_window_in_seconds", mapping.maximum_batching_window_in_seconds())
        .told("maximum_record_age_in_seconds", mapping.maximum_record_age_in_seconds())
        .told("maximum_retry_attempts", mapping.maximum_retry_attempts())
        .told("parallelization_factor", mapping.parallelization_factor())
        .set("queues", mapping.queues())
        .set("starting_position", mapping.starting_position().map(EventSourcePosition::as_str))
        .set("topics", mapping.topics())
        .told("tumbling_window_in_seconds", mapping.tumbling_window_in_seconds())
        .set("uuid", mapping.uuid());
    blocks(properties, mapping)
}

/// The blocks that belong to one kind of source each.
fn blocks(properties: Properties, mapping: &EventSourceMappingConfiguration) -> Properties {
    let group = |id: &str| Properties::new().set("consumer_group_id", id);
    let managed = mapping.amazon_managed_kafka_event_source_config();
    let own = mapping.self_managed_kafka_event_source_config();
    let document_db = mapping.document_db_event_source_config().map(|of| {
        Properties::new()
            .set("collection_name", of.collection_name())
            .set("database_name", of.database_name())
            .told("full_document", of.full_document().map(FullDocument::as_str))
    });
    let filters = mapping.filter_criteria().filter(|criteria| !criteria.filters().is_empty());
    let filters = filters.map(|criteria| {
        let patterns = criteria.filters().iter().map(|filter| Properties::new().set("pattern", filter.pattern()));
        Properties::new().blocks("filter", patterns)
    });
    let metrics = mapping.metrics_config().filter(|config| !config.metrics().is_empty()).map(|config| {
        let metrics: Vec<_> = config.metrics().iter().map(EventSourceMappingMetric::as_str).collect();
        Properties::new().set("metrics", metrics)
    });
    let pollers = mapping.provisioned_poller_config().map(|pollers| {
        Properties::new()
            .told("maximum_pollers", pollers.maximum_pollers())
            .told("minimum_pollers", pollers.minimum_pollers())
    });
    let scaling = mapping
        .scaling_config()
        .and_then(ScalingConfig::maximum_concurrency)
        .map(|most| Properties::new().set("maximum_concurrency", most));
    let brokers = mapping.self_managed_event_source().and_then(|of| of.endpoints()).map(|endpoints| {
        let endpoints = endpoints.iter().map(|(kind, hosts)| (kind.as_str(), hosts.join(",")));
        Properties::new().set("endpoints", endpoints.collect::<std::collections::BTreeMap<_, _>>())
    });
    let access = mapping.source_access_configurations().iter().map(|access| {
        Properties::new().set("type", access.r#type().map(SourceAccessType::as_str)).set("uri", access.uri())
    });
    properties
        .block("amazon_managed_kafka_event_source_config", managed.and_then(|of| of.consumer_group_id()).map(group))
        .block("self_managed_kafka_event_source_config", own.and_then(|of| of.consumer_group_id()).map(group))
        .block("document_db_event_source_config", document_db)
        .block("filter_criteria", filters)
        .block("metrics_config", metrics)
        .block("provisioned_poller_config", pollers)
        .block("scaling_config", scaling)
        .block("self_managed_event_source", brokers)
        .blocks("source_access_configuration", access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_lambda::types::{EndPointType, Filter, FilterCriteria, ScalingConfig, SelfManagedEventSource};
    use serde_json::json;

    #[test]
    fn a_queue_with_filters_and_a_limit() {
        let mapping = EventSourceMappingConfiguration::builder()
            .state("Disabling")
            .filter_criteria(
                FilterCriteria::builder().filters(Filter::builder().pattern("{\"a\":[1]}").build()).build(),
            )
            .scaling_config(ScalingConfig::builder().maximum_concurrency(5).build())
            .build();
        let properties = shape(&mapping);
        assert_eq!(properties.get("enabled"), Some(&json!(false)));
        assert_eq!(properties.get("filter_criteria"), Some(&json!([{"filter": [{"pattern": "{\"a\":[1]}"}]}])));
        assert_eq!(properties.get("scaling_config"), Some(&json!([{"maximum_concurrency": 5}])));
        assert_eq!(properties.get("destination_config"), Some(&json!([])));
        assert_eq!(properties.get("parallelization_factor"), None, "queues have none");
    }

    #[test]
    fn brokers_are_one_text() {
        let source = SelfManagedEventSource::builder()
            .endpoints(EndPointType::KafkaBootstrapServers, vec!["a:9092".to_owned(), "b:9092".to_owned()]);
        let mapping = EventSourceMappingConfiguration::builder()
            .state("Creating")
            .self_managed_event_source(source.build())
            .build();
        let properties = shape(&mapping);
        assert_eq!(
            properties.get("self_managed_event_source"),
            Some(&json!([{"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:9092"}}]))
        );
        assert_eq!(properties.get("enabled"), None, "not settled yet");
    }
}
