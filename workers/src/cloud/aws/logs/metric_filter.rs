//! Metric filters. Terraform: `aws_cloudwatch_log_metric_filter`.

use aws_sdk_cloudwatchlogs::types::{MetricFilter, MetricTransformation, StandardUnit};

use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeMetricFilters`, of all groups at once.
pub const READER: Reader = Reader {
    service: "logs",
    types: &["aws_cloudwatch_log_metric_filter"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut filters = cx.cloudwatchlogs().describe_metric_filters().into_paginator().items().send();
    while let Some(filter) = filters.try_next().await? {
        let (Some(group), Some(name)) = (filter.log_group_name(), filter.filter_name()) else {
            continue;
        };
        let draft = cx
            .resource("aws_cloudwatch_log_metric_filter", format!("{group}:{name}"))
            .part_of("aws_cloudwatch_log_group", group)
            .properties(shape(&filter));
        cx.emit(draft).await;
    }
    Ok(())
}

fn shape(filter: &MetricFilter) -> Properties {
    Properties::new()
        .set("name", filter.filter_name())
        .set("log_group_name", filter.log_group_name())
        .set("pattern", filter.filter_pattern())
        .blocks("metric_transformation", filter.metric_transformations().iter().map(transformation))
}

fn transformation(of: &MetricTransformation) -> Properties {
    Properties::new()
        .set("name", of.metric_name())
        .set("namespace", of.metric_namespace())
        .set("value", of.metric_value())
        // Text in Terraform: 0 and 1.5, never 0.0.
        .set("default_value", of.default_value().map(|value| value.to_string()))
        .set("dimensions", of.dimensions())
        .told("unit", of.unit().map(StandardUnit::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_default_value_is_text() -> Result<(), Box<dyn std::error::Error>> {
        let of = MetricTransformation::builder().metric_name("Errors").metric_namespace("App").metric_value("1");
        let whole = transformation(&of.clone().default_value(0.0).build()?);
        assert_eq!(whole.get("default_value"), Some(&json!("0")));
        let part = transformation(&of.clone().default_value(1.5).build()?);
        assert_eq!(part.get("default_value"), Some(&json!("1.5")));
        assert_eq!(transformation(&of.build()?).get("default_value"), Some(&json!(null)));
        Ok(())
    }
}
