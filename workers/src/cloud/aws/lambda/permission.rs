//! Who may call a function: each statement of its policy, and of its aliases' policies. Terraform: `aws_lambda_permission`.
//!
//! A version has a policy of its own, too, and a function may have hundreds of versions, each a call. Versions are asked only for
//! functions that have few of them.

use std::collections::BTreeSet;

use aws_sdk_lambda::types::FunctionConfiguration;
use serde_json::Value;

use super::{GONE, alias_names, function_name, functions, qualifier};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListFunctions`; `ListAliases`, `ListVersionsByFunction` and some `GetPolicy` for each.
pub const READER: Reader = Reader {
    service: "lambda",
    types: &["aws_lambda_permission"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Versions of one function whose policies are asked for, newest first.
const MOST_VERSIONS: usize = 10;

async fn read(cx: Context) -> Result<(), ReadError> {
    let only = cx.only().and_then(|id| id.split(['/', ':']).next());
    let functions = functions(&cx, only).await?;
    cx.for_each_allowed(functions, read_one).await
}

async fn read_one(cx: Context, function: FunctionConfiguration) -> Result<(), ReadError> {
    let Some(name) = function.function_name() else {
        return Ok(());
    };
    let Some(qualifiers) = qualifiers(&cx, name).await.or_absent(GONE)? else {
        return Ok(());
    };
    // What imitates AWS may answer for a version with the function's own.
    let mut seen = BTreeSet::new();
    for qualifier in [None].into_iter().chain(qualifiers.into_iter().map(Some)) {
        let asked = cx.lambda().get_policy().function_name(name).set_qualifier(qualifier).send().await;
        let document = asked.or_absent(GONE)?.and_then(|answer| answer.policy);
        for statement in statements(document.as_deref().unwrap_or_default()) {
            let Some((id, properties)) = shape(&statement).filter(|(id, _)| seen.insert(id.clone())) else {
                continue;
            };
            let draft =
                cx.resource("aws_lambda_permission", id).part_of("aws_lambda_function", name).properties(properties);
            cx.emit(draft).await;
        }
    }
    Ok(())
}

/// Everything that may have a policy besides the function itself.
async fn qualifiers(cx: &Context, name: &str) -> Result<Vec<String>, ReadError> {
    let mut qualifiers = alias_names(cx, name).await?;
    let pages = cx.lambda().list_versions_by_function().function_name(name).into_paginator().items().send();
    let versions = pages.collect::<Result<Vec<_>, _>>().await?;
    let numbers = versions.into_iter().rev().filter_map(|version| version.version);
    qualifiers.extend(numbers.filter(|number| number != "$LATEST").take(MOST_VERSIONS));
    Ok(qualifiers)
}

fn statements(document: &str) -> Vec<Value> {
    let policy = serde_json::from_str::<Value>(document).unwrap_or_default();
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

/// The id `FUNCTION[:QUALIFIER]/STATEMENT` and the attributes.
fn shape(statement: &Value) -> Option<(String, Properties)> {
    let sid = statement["Sid"].as_str()?;
    let resource = statement["Resource"].as_str()?;
    let function = function_name(resource)?;
    let qualifier = qualifier(resource);
    let principal = match &statement["Principal"] {
        Value::Object(kinds) => kinds.get("AWS").or_else(|| kinds.get("Service")),
        other => Some(other),
    };
    let condition = |operator: &str, key: &str| find(&statement["Condition"][operator], key);
    let properties = Properties::new()
        .set("function_name", function)
        .set("qualifier", qualifier)
        .set("statement_id", sid)
        .set("action", &statement["Action"])
        .set("principal", principal)
        .set("event_source_token", condition("StringEquals", "lambda:EventSourceToken"))
        .set("function_url_auth_type", condition("StringEquals", "lambda:FunctionUrlAuthType"))
        .set("principal_org_id", condition("StringEquals", "aws:PrincipalOrgID"))
        .set("source_account", condition("StringEquals", "AWS:SourceAccount"))
        .set("source_arn", condition("ArnLike", "AWS:SourceArn"));
    let id = match qualifier {
        Some(qualifier) => format!("{function}:{qualifier}/{sid}"),
        None => format!("{function}/{sid}"),
    };
    Some((id, properties))
}

/// Condition keys are written in any case.
fn find(conditions: &Value, key: &str) -> Option<Value> {
    let conditions = conditions.as_object()?;
    let (_, value) = conditions.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    Some(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_of_an_alias() {
        let document = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "AllowTopic", "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:post:live",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:sns:eu-west-1:123456789012:entries"},
            },
        }]});
        let statements = statements(&document.to_string());
        let (id, properties) = shape(&statements[0]).unwrap_or_default();
        assert_eq!(id, "post:live/AllowTopic");
        let expected = json!({
            "function_name": "post", "qualifier": "live", "statement_id": "AllowTopic",
            "action": "lambda:InvokeFunction", "principal": "sns.amazonaws.com", "source_account": "123456789012",
            "source_arn": "arn:aws:sns:eu-west-1:123456789012:entries", "event_source_token": null,
            "function_url_auth_type": null, "principal_org_id": null,
        });
        assert_eq!(json!(properties), expected);
    }

    #[test]
    fn principals_come_in_three_spellings() {
        for (written, read) in [
            (json!("*"), "*"),
            (json!({"AWS": "arn:aws:iam::1:root"}), "arn:aws:iam::1:root"),
            (json!({"Service": "s3.amazonaws.com"}), "s3.amazonaws.com"),
        ] {
            let statement = json!({"Sid": "1", "Principal": written, "Resource": "arn:aws:lambda:r:1:function:f"});
            let (_, properties) = shape(&statement).unwrap_or_default();
            assert_eq!(properties.get("principal"), Some(&json!(read)));
        }
    }

    #[test]
    fn what_is_no_policy_has_no_statements() {
        assert!(statements("").is_empty());
        assert!(statements("{").is_empty());
        assert!(shape(&json!({"Sid": "1"})).is_none());
    }
}
