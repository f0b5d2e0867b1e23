//! Aliases of keys. Terraform: `aws_kms_alias`.

use super::is_managed_alias;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `ListAliases`.
pub const READER: Reader =
    Reader { service: "kms", types: &["aws_kms_alias"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut aliases = cx.kms().list_aliases().into_paginator().items().send();
    while let Some(alias) = aliases.try_next().await? {
        let Some(name) = alias.alias_name() else {
            continue;
        };
        let target = alias.target_key_id();
        let properties = Properties::new()
            .set("arn", alias.alias_arn())
            .set("name", name)
            .set("target_key_id", target)
            .set("target_key_arn", target.map(|id| cx.arn("kms", format!("key/{id}"))));
        let mut draft = cx.resource("aws_kms_alias", name).properties(properties);
        if is_managed_alias(name) {
            draft = draft.managed_by("alias of an AWS managed key");
        }
        cx.emit(draft).await;
    }
    Ok(())
}
