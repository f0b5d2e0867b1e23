//! What hangs on a function: aliases, URLs, and how asynchronous calls are handled.
//! Terraform: `aws_lambda_alias`, `aws_lambda_function_url`, `aws_lambda_function_event_invoke_config`.
//!
//! `function_name` may be a name or an ARN in the configuration and is never read back, so it is no attribute here: the id holds it.

use std::collections::BTreeSet;

use aws_sdk_lambda::operation::get_function_url_config::GetFunctionUrlConfigOutput;
use aws_sdk_lambda::types::{AliasConfiguration, Cors, FunctionEventInvokeConfig, InvokeMode};

use super::{GONE, alias_names, functions, qualifier};
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListFunctions`; `ListAliases`, `GetFunctionUrlConfig` (for its aliases, too) and `ListFunctionEventInvokeConfigs` for each.
pub const READER: Reader = Reader {
    service: "lambda",
    types: &["aws_lambda_alias", "aws_lambda_function_event_invoke_config", "aws_lambda_function_url"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let only = cx.only().map(function_of_id);
    let functions = functions(&cx, only).await?;
    let names = functions.into_iter().filter_map(|function| function.function_name);
    cx.for_each(names, |cx, function| async move {
        let parts = [
            ("aws_lambda_alias", aliases(&cx, &function).await),
            ("aws_lambda_function_url", urls(&cx, &function).await),
            ("aws_lambda_function_event_invoke_config", invoke_configs(&cx, &function).await),
        ];
        for (provider_type, found) in parts {
            match found.or_absent(GONE) {
                Ok(drafts) => {
                    for draft in drafts.unwrap_or_default() {
                        cx.emit(draft.part_of("aws_lambda_function", &function)).await;
                    }
                }
                Err(error) => cx.unreadable(&[provider_type], error),
            }
        }
        Ok(())
    })
    .await
}

/// The function in any of the three kinds of ids: an alias' ARN, `NAME`, `NAME/QUALIFIER` or `NAME:QUALIFIER`.
fn function_of_id(id: &str) -> &str {
    if id.starts_with("arn:") {
        super::function_name(id).unwrap_or(id)
    } else {
        id.split([':', '/']).next().unwrap_or(id)
    }
}

async fn aliases(cx: &Context, function: &str) -> Result<Vec<Draft>, ReadError> {
    let mut parts = Vec::new();
    if !cx.wants("aws_lambda_alias") {
        return Ok(parts);
    }
    let mut aliases = cx.lambda().list_aliases().function_name(function).into_paginator().items().send();
    while let Some(alias) = aliases.try_next().await? {
        if let Some(arn) = alias.alias_arn() {
            parts.push(cx.resource("aws_lambda_alias", arn).properties(shape_alias(&alias)));
        }
    }
    Ok(parts)
}

/// A function has a URL of its own, and each of its aliases may have one; versions have none.
async fn urls(cx: &Context, function: &str) -> Result<Vec<Draft>, ReadError> {
    let mut parts = Vec::new();
    if !cx.wants("aws_lambda_function_url") {
        return Ok(parts);
    }
    // What imitates AWS may answer for an alias with the function's own.
    let mut seen = BTreeSet::new();
    let qualifiers = alias_names(cx, function).await?;
    for qualifier in [None].into_iter().chain(qualifiers.into_iter().map(Some)) {
        let asked = cx.lambda().get_function_url_config().function_name(function).set_qualifier(qualifier.clone());
        let answer = asked.send().await.or_absent(GONE)?;
        let Some(url) = answer.filter(|url| seen.insert(url.function_url().to_owned())) else {
            continue;
        };
        let id = match &qualifier {
            Some(qualifier) => format!("{function}/{qualifier}"),
            None => function.to_owned(),
        };
        let properties = shape_url(&url).set("qualifier", qualifier);
        parts.push(cx.resource("aws_lambda_function_url", id).properties(properties));
    }
    Ok(parts)
}

async fn invoke_configs(cx: &Context, function: &str) -> Result<Vec<Draft>, ReadError> {
    let mut parts = Vec::new();
    if !cx.wants("aws_lambda_function_event_invoke_config") {
        return Ok(parts);
    }
    let mut configs =
        cx.lambda().list_function_event_invoke_configs().function_name(function).into_paginator().items().send();
    while let Some(config) = configs.try_next().await? {
        let qualifier = config.function_arn().and_then(qualifier).filter(|of| *of != "$LATEST");
        let id = match qualifier {
            Some(qualifier) => format!("{function}:{qualifier}"),
            None => function.to_owned(),
        };
        let properties = shape_invoke(&config).set("qualifier", qualifier);
        parts.push(cx.resource("aws_lambda_function_event_invoke_config", id).properties(properties));
    }
    Ok(parts)
}

fn shape_alias(alias: &AliasConfiguration) -> Properties {
    let weights = alias
        .routing_config()
        .and_then(|routing| routing.additional_version_weights())
        .filter(|weights| !weights.is_empty());
    Properties::new()
        .set("arn", alias.alias_arn())
        .set("name", alias.name())
        .set("description", alias.description())
        .set("function_version", alias.function_version())
        .block("routing_config", weights.map(|weights| Properties::new().set("additional_version_weights", weights)))
}

fn shape_url(url: &GetFunctionUrlConfigOutput) -> Properties {
    Properties::new()
        .set("authorization_type", url.auth_type().as_str())
        .block("cors", url.cors().map(cors))
        .set("function_arn", url.function_arn())
        .set("function_url", url.function_url())
        .told("invoke_mode", url.invoke_mode().map(InvokeMode::as_str))
}

fn cors(of: &Cors) -> Properties {
    Properties::new()
        .set("allow_credentials", of.allow_credentials().unwrap_or(false))
        .set("allow_headers", of.allow_headers())
        .set("allow_methods", of.allow_methods())
        .set("allow_origins", of.allow_origins())
        .set("expose_headers", of.expose_headers())
        .set("max_age", of.max_age().unwrap_or(0))
}

fn shape_invoke(config: &FunctionEventInvokeConfig) -> Properties {
    let target = |destination: Option<&str>| destination.map(|arn| Properties::new().set("destination", arn));
    let destinations = config.destination_config().and_then(|of| {
        let failure = of.on_failure().and_then(|to| to.destination());
        let success = of.on_success().and_then(|to| to.destination());
        let block = Properties::new().block("on_failure", target(failure)).block("on_success", target(success));
        (failure.is_some() || success.is_some()).then_some(block)
    });
    Properties::new()
        .block("destination_config", destinations)
        .told("maximum_event_age_in_seconds", config.maximum_event_age_in_seconds())
        .told("maximum_retry_attempts", config.maximum_retry_attempts())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_lambda::types::{AliasRoutingConfiguration, DestinationConfig, OnFailure, OnSuccess};
    use serde_json::json;

    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:post";

    #[test]
    fn ids_lead_back_to_the_function() {
        let alias = format!("{FUNCTION}:live");
        for id in [alias.as_str(), "post", "post/live", "post:live"] {
            assert_eq!(function_of_id(id), "post", "{id}");
        }
        assert_eq!(qualifier(&alias), Some("live"));
        assert_eq!(qualifier(FUNCTION), None);
    }

    #[test]
    fn an_alias_splits_its_calls() {
        let routing = AliasRoutingConfiguration::builder().additional_version_weights("2", 0.1).build();
        let alias = AliasConfiguration::builder().name("live").routing_config(routing).build();
        assert_eq!(
            shape_alias(&alias).get("routing_config"),
            Some(&json!([{"additional_version_weights": {"2": 0.1}}]))
        );
        let alias = AliasConfiguration::builder().name("live").build();
        assert_eq!(shape_alias(&alias).get("routing_config"), Some(&json!([])));
    }

    #[test]
    fn an_empty_destination_is_none() {
        let empty = DestinationConfig::builder()
            .on_failure(OnFailure::builder().build())
            .on_success(OnSuccess::builder().build())
            .build();
        let config = FunctionEventInvokeConfig::builder().destination_config(empty).build();
        assert_eq!(shape_invoke(&config).get("destination_config"), Some(&json!([])));
        let one = DestinationConfig::builder().on_success(OnSuccess::builder().destination("arn").build()).build();
        let config = FunctionEventInvokeConfig::builder().destination_config(one).build();
        assert_eq!(
            shape_invoke(&config).get("destination_config"),
            Some(&json!([{"on_failure": [], "on_success": [{"destination": "arn"}]}]))
        );
    }
}
