//! Customer managed keys. Terraform: `aws_kms_key`, `aws_kms_replica_key`, `aws_kms_external_key`.
//!
//! A key that is scheduled for deletion counts as gone, as it does for Terraform. AWS managed keys are emitted (a declared
//! alias may point at one) without asking anything about them.

use std::collections::HashSet;

use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput;
use aws_sdk_kms::types::{
    ExpirationModelType, KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, MultiRegionKeyType, OriginType,
};

use super::is_managed_alias;
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListAliases` (which keys are AWS's), `ListKeys`; `DescribeKey`, `GetKeyPolicy`, `GetKeyRotationStatus` and `ListResourceTags` for each of the
/// others.
pub const READER: Reader = Reader {
    service: "kms",
    types: &["aws_kms_external_key", "aws_kms_key", "aws_kms_replica_key"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// What KMS answers for a key that is gone.
const GONE: &[&str] = &["NotFoundException"];
/// What it answers where there is no rotation: keys of this kind, or in this state, have none.
const NO_ROTATION: &[&str] = &["UnsupportedOperationException", "KMSInvalidStateException"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.kms().list_aliases().into_paginator().items().send();
    let aliases = pages.collect::<Result<Vec<_>, _>>().await?;
    let managed: HashSet<_> = aliases
        .into_iter()
        .filter(|alias| alias.alias_name().is_some_and(is_managed_alias))
        .filter_map(|alias| alias.target_key_id)
        .collect();
    let pages = cx.kms().list_keys().into_paginator().items().send();
    let keys = pages.collect::<Result<Vec<_>, _>>().await?;
    let ids = keys.into_iter().filter_map(|key| key.key_id).filter(|id| cx.only().is_none_or(|only| only == id));
    let (managed, ids): (Vec<_>, Vec<_>) = ids.partition(|id| managed.contains(id));
    for id in managed {
        let properties = Properties::new().set("arn", cx.arn("kms", format!("key/{id}"))).set("key_id", &id);
        cx.emit(cx.resource("aws_kms_key", id).properties(properties).managed_by("AWS managed key")).await;
    }
    cx.for_each_allowed(ids, |cx, id| async move {
        if let Some(draft) = read_one(&cx, &id).await.or_absent(GONE)?.flatten() {
            cx.emit(draft).await;
        }
        Ok(())
    })
    .await
}

async fn read_one(cx: &Context, id: &str) -> Result<Option<Draft>, ReadError> {
    let described = cx.kms().describe_key().key_id(id).send().await?;
    let Some(key) = described.key_metadata().filter(|key| !is_gone(key)) else {
        return Ok(None);
    };
    if key.key_manager() == Some(&KeyManagerType::Aws) {
        let draft = cx.resource("aws_kms_key", id).properties(common(key));
        return Ok(Some(draft.managed_by("AWS managed key")));
    }
    let policy = cx.kms().get_key_policy().key_id(id).policy_name("default").send().await?;
    let tags = cx.kms().list_resource_tags().key_id(id).into_paginator().items().send();
    let tags = tags.collect::<Result<Vec<_>, _>>().await?;
    let rotation = if can_rotate(key) {
        let asked = cx.kms().get_key_rotation_status().key_id(id).send().await;
        asked.or_absent(NO_ROTATION)?
    } else {
        None
    };
    let (provider_type, properties) = shape(key, rotation.as_ref());
    let properties =
        properties.set("policy", policy.policy()).tags(tags.iter().map(|tag| (tag.tag_key(), tag.tag_value())));
    Ok(Some(cx.resource(provider_type, id).properties(properties)))
}

fn is_gone(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

/// Only symmetric keys whose material KMS makes are rotated by it.
fn can_rotate(key: &KeyMetadata) -> bool {
    key.origin() == Some(&OriginType::AwsKms) && matches!(key.key_spec(), None | Some(KeySpec::SymmetricDefault))
}

fn common(key: &KeyMetadata) -> Properties {
    Properties::new()
        .set("arn", key.arn())
        .set("description", key.description())
        .set("key_id", key.key_id())
        .set("key_usage", key.key_usage().map(KeyUsageType::as_str))
}

/// Terraform's type of the key and its attributes, without policy and tags.
fn shape(key: &KeyMetadata, rotation: Option<&GetKeyRotationStatusOutput>) -> (&'static str, Properties) {
    let rotates = rotation.is_some_and(GetKeyRotationStatusOutput::key_rotation_enabled);
    let spec = key.key_spec().map(KeySpec::as_str);
    let replicated = key.multi_region_configuration().filter(|of| {
        let primary = of.primary_key().and_then(|primary| primary.arn());
        of.multi_region_key_type() == Some(&MultiRegionKeyType::Replica) && primary != key.arn()
    });
    if let Some(replica) = replicated.filter(|_| key.origin() == Some(&OriginType::AwsKms)) {
        let properties = common(key)
            .set("enabled", key.enabled())
            .set("key_rotation_enabled", rotates)
            .told("key_spec", spec)
            .told("primary_key_arn", replica.primary_key().and_then(|primary| primary.arn()));
        return ("aws_kms_replica_key", properties);
    }
    if key.origin() == Some(&OriginType::External) {
        let properties = common(key)
            .set("enabled", key.enabled())
            .set("expiration_model", key.expiration_model().map(ExpirationModelType::as_str))
            .set("key_state", key.key_state().map(KeyState::as_str))
            .set("multi_region", key.multi_region().unwrap_or(false));
        return ("aws_kms_external_key", properties);
    }
    let properties = common(key)
        .set("custom_key_store_id", key.custom_key_store_id())
        .told("customer_master_key_spec", spec)
        .set("enable_key_rotation", rotates)
        .set("is_enabled", key.enabled())
        .set("multi_region", key.multi_region().unwrap_or(false))
        .told("rotation_period_in_days", rotation.and_then(GetKeyRotationStatusOutput::rotation_period_in_days))
        .set("xks_key_id", key.xks_key_configuration().and_then(|external| external.id()));
    ("aws_kms_key", properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kms::types::{MultiRegionConfiguration, MultiRegionKey, builders::KeyMetadataBuilder};
    use serde_json::json;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn key() -> KeyMetadataBuilder {
        KeyMetadata::builder().key_id("1").origin(OriginType::AwsKms).enabled(true)
    }

    #[test]
    fn a_key_awaiting_deletion_is_gone() -> Outcome {
        assert!(is_gone(&key().key_state(KeyState::PendingDeletion).build()?));
        assert!(is_gone(&key().key_state(KeyState::PendingReplicaDeletion).build()?));
        assert!(!is_gone(&key().key_state(KeyState::Disabled).build()?));
        Ok(())
    }

    #[test]
    fn rotation_is_asked_only_where_there_is_any() -> Outcome {
        assert!(can_rotate(&key().key_spec(KeySpec::SymmetricDefault).build()?));
        assert!(!can_rotate(&key().key_spec(KeySpec::Rsa2048).build()?));
        assert!(!can_rotate(&key().origin(OriginType::External).build()?));
        Ok(())
    }

    #[test]
    fn replica_and_external_keys_have_their_own_types() -> Outcome {
        let of = MultiRegionConfiguration::builder()
            .multi_region_key_type(MultiRegionKeyType::Replica)
            .primary_key(MultiRegionKey::builder().arn("arn:aws:kms:us-east-1:123456789012:key/mrk-1").build())
            .build();
        let (provider_type, properties) = shape(&key().multi_region_configuration(of).build()?, None);
        assert_eq!(provider_type, "aws_kms_replica_key");
        assert_eq!(properties.get("primary_key_arn"), Some(&json!("arn:aws:kms:us-east-1:123456789012:key/mrk-1")));
        let (provider_type, properties) = shape(&key().origin(OriginType::External).build()?, None);
        assert_eq!(provider_type, "aws_kms_external_key");
        assert_eq!(properties.get("enabled"), Some(&json!(true)));
        assert_eq!(properties.get("is_enabled"), None);
        Ok(())
    }

    #[test]
    fn the_rotation_period_is_told_only_while_it_rotates() -> Outcome {
        let rotation =
            GetKeyRotationStatusOutput::builder().key_rotation_enabled(true).rotation_period_in_days(180).build();
        let (_, properties) = shape(&key().build()?, Some(&rotation));
        assert_eq!(properties.get("enable_key_rotation"), Some(&json!(true)));
        assert_eq!(properties.get("rotation_period_in_days"), Some(&json!(180)));
        let (_, properties) = shape(&key().build()?, None);
        assert_eq!(properties.get("enable_key_rotation"), Some(&json!(false)));
        assert_eq!(properties.get("rotation_period_in_days"), None);
        Ok(())
    }
}
