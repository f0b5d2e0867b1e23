//! Readers of Lambda.

mod event_source_mapping;
mod function;
mod function_parts;
mod layer_version;
mod permission;

use aws_sdk_lambda::types::FunctionConfiguration;

use super::reader::{Context, Reader};
use crate::cloud::ReadError;

/// All readers of this service.
pub const READERS: &[Reader] = &[
    function::READER,
    function_parts::READER,
    permission::READER,
    event_source_mapping::READER,
    layer_version::READER,
];

/// What Lambda answers for a function (or its policy) that is not there.
const GONE: &[&str] = &["ResourceNotFoundException"];

/// The functions of this region; when one resource is read again, only the function named `only`.
async fn functions(cx: &Context, only: Option<&str>) -> Result<Vec<FunctionConfiguration>, ReadError> {
    let pages = cx.lambda().list_functions().into_paginator().items().send();
    let mut functions = pages.collect::<Result<Vec<_>, _>>().await?;
    functions.retain(|function| only.is_none_or(|only| function.function_name() == Some(only)));
    Ok(functions)
}

/// The names of a function's aliases.
async fn alias_names(cx: &Context, function: &str) -> Result<Vec<String>, ReadError> {
    let pages = cx.lambda().list_aliases().function_name(function).into_paginator().items().send();
    let aliases = pages.collect::<Result<Vec<_>, _>>().await?;
    Ok(aliases.into_iter().filter_map(|alias| alias.name).collect())
}

/// The alias or version at the end of `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
fn qualifier(arn: &str) -> Option<&str> {
    arn.splitn(8, ':').nth(7)
}

/// The function's name in the same.
fn function_name(arn: &str) -> Option<&str> {
    arn.split(':').nth(6)
}
