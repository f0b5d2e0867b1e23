//! Alarms. Terraform: `aws_cloudwatch_metric_alarm`, `aws_cloudwatch_composite_alarm`.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, CompositeAlarm, Dimension, MetricAlarm, MetricDataQuery, MetricStat, StandardUnit,
    Statistic,
};

use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `DescribeAlarms`; `ListTagsForResource` for each.
pub const READER: Reader = Reader {
    service: "cloudwatch",
    types: &["aws_cloudwatch_composite_alarm", "aws_cloudwatch_metric_alarm"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// What CloudWatch answers for an alarm that was deleted since it was listed.
const GONE: &[&str] = &["ResourceNotFoundException", "ResourceNotFound"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut listed = cx.cloudwatch().describe_alarms();
    for kind in [AlarmType::MetricAlarm, AlarmType::CompositeAlarm] {
        listed = listed.alarm_types(kind);
    }
    let mut pages = listed.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await? {
        let metric = page.metric_alarms().iter().filter_map(|alarm| {
            let properties = shape_metric(alarm);
            Some(draft(&cx, "aws_cloudwatch_metric_alarm", alarm.alarm_name()?, alarm.alarm_arn()?, properties))
        });
        let composite = page.composite_alarms().iter().filter_map(|alarm| {
            let properties = shape_composite(alarm);
            Some(draft(&cx, "aws_cloudwatch_composite_alarm", alarm.alarm_name()?, alarm.alarm_arn()?, properties))
        });
        found.extend(metric.chain(composite));
    }
    cx.for_each(found, |cx, found: Found| async move {
        let asked = cx.cloudwatch().list_tags_for_resource().resource_arn(&found.arn).send().await;
        if let Some(tagged) = asked.or_absent(GONE)? {
            let tags = tagged.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
            cx.emit(found.draft.properties(found.properties.tags(tags))).await;
        }
        Ok(())
    })
    .await
}

struct Found {
    draft: Draft,
    arn: String,
    properties: Properties,
}

fn draft(cx: &Context, provider_type: &'static str, name: &str, arn: &str, properties: Properties) -> Found {
    let mut draft = cx.resource(provider_type, name).name(name);
    // Application Auto Scaling makes a pair of these for each target tracking policy, and undoes what people change.
    if name.starts_with("TargetTracking-") {
        draft = draft.managed_by("alarm of a target tracking policy");
    }
    Found { draft, arn: arn.to_owned(), properties: properties.set("arn", arn).set("alarm_name", name) }
}

fn shape_metric(alarm: &MetricAlarm) -> Properties {
    Properties::new()
        .told("actions_enabled", alarm.actions_enabled())
        .set("alarm_actions", alarm.alarm_actions())
        .set("alarm_description", alarm.alarm_description())
        .set("comparison_operator", alarm.comparison_operator().map(ComparisonOperator::as_str))
        .set("datapoints_to_alarm", alarm.datapoints_to_alarm().unwrap_or(0))
        .set("dimensions", dimensions(alarm.dimensions()))
        .set("evaluate_low_sample_count_percentiles", alarm.evaluate_low_sample_count_percentile())
        .set("evaluation_periods", alarm.evaluation_periods())
        .set("extended_statistic", alarm.extended_statistic())
        .set("insufficient_data_actions", alarm.insufficient_data_actions())
        .set("metric_name", alarm.metric_name())
        .blocks("metric_query", alarm.metrics().iter().map(query))
        .set("namespace", alarm.namespace())
        .set("ok_actions", alarm.ok_actions())
        .set("period", alarm.period().unwrap_or(0))
        .set("statistic", alarm.statistic().map(Statistic::as_str))
        .told("threshold", alarm.threshold())
        .set("threshold_metric_id", alarm.threshold_metric_id())
        .told("treat_missing_data", alarm.treat_missing_data())
        .set("unit", alarm.unit().map(StandardUnit::as_str))
}

fn query(of: &MetricDataQuery) -> Properties {
    Properties::new()
        .set("account_id", of.account_id())
        .set("expression", of.expression())
        .set("id", of.id())
        .set("label", of.label())
        .block("metric", of.metric_stat().map(statistic))
        .set("period", of.period().unwrap_or(0))
        .set("return_data", of.return_data().unwrap_or(false))
}

fn statistic(of: &MetricStat) -> Properties {
    let metric = of.metric();
    Properties::new()
        .set("dimensions", dimensions(metric.map_or(&[], |metric| metric.dimensions())))
        .set("metric_name", metric.and_then(|metric| metric.metric_name()))
        .set("namespace", metric.and_then(|metric| metric.namespace()))
        .set("period", of.period().unwrap_or(0))
        .set("stat", of.stat())
        .set("unit", of.unit().map(StandardUnit::as_str))
}

fn dimensions(of: &[Dimension]) -> BTreeMap<&str, &str> {
    let pairs = of.iter().filter_map(|one| Some((one.name()?, one.value().unwrap_or_default())));
    pairs.collect()
}

fn shape_composite(alarm: &CompositeAlarm) -> Properties {
    let suppressor = alarm.actions_suppressor().filter(|name| !name.is_empty()).map(|name| {
        Properties::new()
            .set("alarm", name)
            .told("extension_period", alarm.actions_suppressor_extension_period())
            .told("wait_period", alarm.actions_suppressor_wait_period())
    });
    Properties::new()
        .told("actions_enabled", alarm.actions_enabled())
        .block("actions_suppressor", suppressor)
        .set("alarm_actions", alarm.alarm_actions())
        .set("alarm_description", alarm.alarm_description())
        .set("alarm_rule", alarm.alarm_rule())
        .set("insufficient_data_actions", alarm.insufficient_data_actions())
        .set("ok_actions", alarm.ok_actions())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::types::{Metric, StandardUnit};
    use serde_json::json;

    #[test]
    fn a_metric_query_in_terraforms_shape() {
        let metric = Metric::builder()
            .namespace("AWS/Lambda")
            .metric_name("Errors")
            .dimensions(Dimension::builder().name("FunctionName").value("post").build());
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").unit(StandardUnit::Count);
        let of = MetricDataQuery::builder().id("m1").metric_stat(stat.build()).build();
        let expected = json!({
            "account_id": null, "expression": null, "id": "m1", "label": null, "period": 0, "return_data": false,
            "metric": [{
                "dimensions": {"FunctionName": "post"}, "metric_name": "Errors", "namespace": "AWS/Lambda", "period": 60,
                "stat": "Sum", "unit": "Count",
            }],
        });
        assert_eq!(json!(query(&of)), expected);
    }

    #[test]
    fn an_anomaly_alarm_has_no_threshold() {
        let alarm = MetricAlarm::builder().threshold_metric_id("ad1").build();
        let properties = shape_metric(&alarm);
        assert_eq!(properties.get("threshold"), None);
        assert_eq!(properties.get("threshold_metric_id"), Some(&json!("ad1")));
        assert_eq!(properties.get("datapoints_to_alarm"), Some(&json!(0)));
    }

    #[test]
    fn a_composite_alarm_and_what_silences_it() {
        let alarm = CompositeAlarm::builder()
            .alarm_rule("ALARM(a) OR ALARM(b)")
            .actions_suppressor("deploying")
            .actions_suppressor_wait_period(60)
            .actions_suppressor_extension_period(30);
        assert_eq!(
            shape_composite(&alarm.build()).get("actions_suppressor"),
            Some(&json!([{"alarm": "deploying", "extension_period": 30, "wait_period": 60}]))
        );
        let alarm = CompositeAlarm::builder().actions_suppressor("").build();
        assert_eq!(shape_composite(&alarm).get("actions_suppressor"), Some(&json!([])));
    }
}
