//! Health checks. Terraform: `aws_route53_health_check`.

use aws_sdk_route53::types::{
    AlarmIdentifier, HealthCheck, HealthCheckConfig, HealthCheckRegion, InsufficientDataHealthStatus, TagResourceType,
};

use super::{TAGGED_AT_ONCE, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `ListHealthChecks`; tags ten at a time.
pub const READER: Reader = Reader {
    service: "route53",
    types: &["aws_route53_health_check"],
    scope: Scope::Global,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.route53().list_health_checks().into_paginator().items().send();
    let checks = pages.collect::<Result<Vec<_>, _>>().await?;
    let chunks: Vec<_> = checks.chunks(TAGGED_AT_ONCE).map(<[HealthCheck]>::to_vec).collect();
    cx.for_each(chunks, |cx, checks| async move {
        let ids: Vec<_> = checks.iter().map(|check| check.id().to_owned()).collect();
        let mut tags = tags(&cx, TagResourceType::Healthcheck, &ids).await?;
        for check in &checks {
            let Some(config) = check.health_check_config() else {
                continue;
            };
            let properties = shape(config)
                .set("arn", format!("arn:{}:route53:::healthcheck/{}", cx.partition(), check.id()))
                .tags(tags.remove(check.id()).unwrap_or_default());
            let mut draft = cx.resource("aws_route53_health_check", check.id()).properties(properties);
            if let Some(service) = check.linked_service() {
                draft =
                    draft.managed_by(format!("made by {}", service.service_principal().unwrap_or("another service")));
            }
            cx.emit(draft).await;
        }
        Ok(())
    })
    .await
}

fn shape(config: &HealthCheckConfig) -> Properties {
    let alarm = config.alarm_identifier();
    let regions: Vec<_> = config.regions().iter().map(HealthCheckRegion::as_str).collect();
    Properties::new()
        .set("child_health_threshold", config.health_threshold().unwrap_or(0))
        .set("child_healthchecks", config.child_health_checks())
        .set("cloudwatch_alarm_name", alarm.map(AlarmIdentifier::name))
        .set("cloudwatch_alarm_region", alarm.map(|alarm| alarm.region().as_str()))
        .set("disabled", config.disabled().unwrap_or(false))
        .told("enable_sni", config.enable_sni())
        .told("failure_threshold", config.failure_threshold())
        .set("fqdn", config.fully_qualified_domain_name())
        .set(
            "insufficient_data_health_status",
            config.insufficient_data_health_status().map(InsufficientDataHealthStatus::as_str),
        )
        .set("invert_healthcheck", config.inverted().unwrap_or(false))
        .set("ip_address", config.ip_address())
        .set("measure_latency", config.measure_latency().unwrap_or(false))
        .told("port", config.port())
        .set("regions", regions)
        .told("request_interval", config.request_interval())
        .set("resource_path", config.resource_path())
        .set("routing_control_arn", config.routing_control_arn())
        .set("search_string", config.search_string())
        .set("type", config.r#type().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_route53::types::{AlarmIdentifier, CloudWatchRegion, HealthCheckRegion, HealthCheckType};
    use serde_json::json;

    #[test]
    fn a_check_of_an_alarm() -> Result<(), Box<dyn std::error::Error>> {
        let alarm = AlarmIdentifier::builder().name("age").region(CloudWatchRegion::EuWest1).build()?;
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::CloudwatchMetric)
            .alarm_identifier(alarm)
            .regions(HealthCheckRegion::EuWest1)
            .build()?;
        let properties = shape(&config);
        assert_eq!(properties.get("cloudwatch_alarm_name"), Some(&json!("age")));
        assert_eq!(properties.get("cloudwatch_alarm_region"), Some(&json!("eu-west-1")));
        assert_eq!(properties.get("regions"), Some(&json!(["eu-west-1"])));
        assert_eq!(properties.get("port"), None, "such a check has none");
        Ok(())
    }
}
