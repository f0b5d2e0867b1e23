//! Versions of layers. Terraform: `aws_lambda_layer_version`.

use aws_sdk_lambda::types::{Architecture, LayerVersionsListItem, LayersListItem, Runtime};

use super::GONE;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListLayers`; `ListLayerVersions` for each, since the state may hold an older one than the latest.
pub const READER: Reader = Reader {
    service: "lambda",
    types: &["aws_lambda_layer_version"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.lambda().list_layers().into_paginator().items().send();
    let layers = pages.collect::<Result<Vec<_>, _>>().await?;
    cx.for_each_allowed(layers, read_one).await
}

async fn read_one(cx: Context, layer: LayersListItem) -> Result<(), ReadError> {
    let Some(name) = layer.layer_name() else {
        return Ok(());
    };
    let pages = cx.lambda().list_layer_versions().layer_name(name).into_paginator().items().send();
    let versions = pages.collect::<Result<Vec<_>, _>>().await.or_absent(GONE)?;
    for version in versions.unwrap_or_default() {
        let Some(arn) = version.layer_version_arn() else {
            continue;
        };
        let properties = shape(&version).set("layer_name", name).set("layer_arn", layer.layer_arn());
        cx.emit(cx.resource("aws_lambda_layer_version", arn).name(name).properties(properties)).await;
    }
    Ok(())
}

/// A version cannot be changed, so what only `GetLayerVersion` tells (its hash and size) is not asked for.
fn shape(version: &LayerVersionsListItem) -> Properties {
    let architectures: Vec<_> = version.compatible_architectures().iter().map(Architecture::as_str).collect();
    let runtimes: Vec<_> = version.compatible_runtimes().iter().map(Runtime::as_str).collect();
    Properties::new()
        .set("arn", version.layer_version_arn())
        .set("version", version.version().to_string())
        .set("description", version.description())
        .set("compatible_architectures", architectures)
        .set("compatible_runtimes", runtimes)
        .set("license_info", version.license_info())
}
