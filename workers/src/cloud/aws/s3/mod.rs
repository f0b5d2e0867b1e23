//! Readers of S3: buckets, and each setting that Terraform keeps in a resource of its own.
//!
//! One listing names the buckets of all regions; those of the scanned regions are then asked, each in its own region,
//! for one setting after another. A setting is one small file with one call; `SETTINGS` lists them. What one bucket
//! refuses is gathered and reported by name, and costs no other bucket anything.

mod acl;
mod bucket;
mod cors;
pub(super) mod dialect;
mod encryption;
mod failures;
mod lifecycle;
mod logging;
mod mirrors;
mod notification;
mod object_lock;
mod ownership;
mod policy;
mod public_access_block;
mod replication;
mod transfer;
mod versioning;
mod website;

use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::types::BucketLocationConstraint;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::reader::{Context, Draft, Reader, Scope};
use crate::cloud::ReadError;
use bucket::{Bucket, Setting};
use failures::{Failures, Lost};

/// All readers of this service.
pub const READERS: &[Reader] =
    &[Reader { service: "s3", types: ALL_TYPES, scope: Scope::Global, read: |cx| Box::pin(read(cx)) }];

const ALL_TYPES: &[&str] = &[
    "aws_s3_bucket",
    "aws_s3_bucket_accelerate_configuration",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_cors_configuration",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_object_lock_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_replication_configuration",
    "aws_s3_bucket_request_payment_configuration",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_website_configuration",
];

/// How one setting is asked for.
#[derive(Clone, Copy)]
struct SettingReader {
    provider_type: &'static str,
    read: for<'a> fn(&'a Bucket) -> BoxFuture<'a, Result<Setting, ReadError>>,
}

macro_rules! settings {
    ($($provider_type:literal: $read:path;)+) => {
        /// Every setting with a resource of its own.
        const SETTINGS: &[SettingReader] = &[
            $(SettingReader { provider_type: $provider_type, read: |bucket| Box::pin($read(bucket)) },)+
        ];
    };
}

settings! {
    "aws_s3_bucket_accelerate_configuration": transfer::read_accelerate;
    "aws_s3_bucket_acl": acl::read;
    "aws_s3_bucket_cors_configuration": cors::read;
    "aws_s3_bucket_lifecycle_configuration": lifecycle::read;
    "aws_s3_bucket_logging": logging::read;
    "aws_s3_bucket_notification": notification::read;
    "aws_s3_bucket_object_lock_configuration": object_lock::read;
    "aws_s3_bucket_ownership_controls": ownership::read;
    "aws_s3_bucket_policy": policy::read;
    "aws_s3_bucket_public_access_block": public_access_block::read;
    "aws_s3_bucket_replication_configuration": replication::read;
    "aws_s3_bucket_request_payment_configuration": transfer::read_request_payment;
    "aws_s3_bucket_server_side_encryption_configuration": encryption::read;
    "aws_s3_bucket_versioning": versioning::read;
    "aws_s3_bucket_website_configuration": website::read;
}

/// What a region or a kind of bucket answers that does not know a setting at all (acceleration in some regions).
/// Source: the provider's own list, `hashicorp/terraform-provider-aws` `internal/service/s3/bucket.go`.
const UNKNOWN_SETTING: &[&str] =
    &["MethodNotAllowed", "NotImplemented", "UnsupportedArgument", "UnsupportedOperation", "XNotImplemented"];

/// Buckets asked for in one page of the listing. Asking for pages is also what makes S3 tell each bucket's region.
const PAGE: i32 = 1000;

/// Calls to one bucket that run at the same time; the buckets themselves run side by side as well.
const PER_BUCKET: usize = 4;

async fn read(cx: Context) -> Result<(), ReadError> {
    let failures = Failures::default();
    let buckets = locate(&cx, list(&cx).await?, &failures).await?;
    cx.for_each(buckets, |cx, bucket| read_bucket(cx, bucket, &failures)).await?;
    failures.report(&cx);
    Ok(())
}

/// Every bucket of the account, with its region where the listing tells it.
async fn list(cx: &Context) -> Result<Vec<(String, Option<String>)>, ReadError> {
    let mut pages = cx
        .s3()
        .list_buckets()
        .set_prefix(cx.only().map(ToOwned::to_owned))
        .into_paginator()
        .page_size(PAGE)
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(bucket) = pages.try_next().await? {
        let Some(name) = bucket.name else { continue };
        if cx.only().is_none_or(|only| only == name) {
            found.push((name, bucket.bucket_region));
        }
    }
    Ok(found)
}

/// The buckets of the scanned regions. Those whose region the listing did not tell are asked for it.
async fn locate(
    cx: &Context,
    listed: Vec<(String, Option<String>)>,
    failures: &Failures,
) -> Result<Vec<Bucket>, ReadError> {
    let found = Mutex::new(Vec::with_capacity(listed.len()));
    cx.for_each(listed, |cx, (name, told)| {
        let found = &found;
        async move {
            let region = match told {
                Some(region) => Ok(region),
                None => ask_region(&cx, &name).await,
            };
            match region {
                Ok(region) if cx.regions().contains(&region) => {
                    let client = cx.in_region(&region).s3().clone();
                    let bucket = Bucket { name, region, client };
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(bucket);
                }
                Ok(_) => {}
                Err(error) if error.is(&["NoSuchBucket"]) => {}
                Err(error) => failures.add(Lost::Bucket, &name, error),
            }
            Ok(())
        }
    })
    .await?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|one: &Bucket, other| one.name.cmp(&other.name));
    Ok(found)
}

async fn ask_region(cx: &Context, name: &str) -> Result<String, ReadError> {
    let answer = cx.s3().get_bucket_location().bucket(name).send().await?;
    Ok(region_of(answer.location_constraint.as_ref()))
}

/// A location constraint as a region's name: none is us-east-1, and the oldest Irish buckets say `EU`.
/// Source: S3 API reference, `GetBucketLocation`.
fn region_of(constraint: Option<&BucketLocationConstraint>) -> String {
    match constraint.map(BucketLocationConstraint::as_str) {
        None | Some("") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    }
}

/// The bucket and its settings. For the bucket all of them are asked, since it repeats most as its own attributes.
async fn read_bucket(cx: Context, bucket: Bucket, failures: &Failures) -> Result<(), ReadError> {
    let whole = cx.wants("aws_s3_bucket");
    let (mut properties, mut errors) = if whole { bucket::read(&cx, &bucket).await } else { Default::default() };
    let wanted = |setting: &SettingReader| whole || cx.wants(setting.provider_type);
    let wanted: Vec<SettingReader> = SETTINGS.iter().copied().filter(wanted).collect();
    let mut answers = stream::iter(wanted)
        .map(|setting| (setting.read)(&bucket).map(move |answer| (setting.provider_type, answer)))
        .buffered(PER_BUCKET);
    let mut drafts = Vec::new();
    while let Some((provider_type, answer)) = answers.next().await {
        match answer {
            Ok(setting) => {
                properties = mirrors::add(properties, provider_type, &setting);
                drafts.extend(draft(&cx, &bucket, provider_type, setting));
            }
            Err(error) if error.is(UNKNOWN_SETTING) => {}
            Err(error) => errors.push((Lost::Setting(provider_type), error)),
        }
    }
    // Deleted while it was being read: what it said before is no longer true.
    if errors.iter().any(|(_, error)| error.is(&["NoSuchBucket"])) {
        return Ok(());
    }
    if whole {
        let draft = cx.resource("aws_s3_bucket", &bucket.name).region(&bucket.region).name(&bucket.name);
        drafts.push(draft.properties(properties));
    }
    for draft in drafts {
        cx.emit(draft).await;
    }
    for (lost, error) in errors {
        failures.add(lost, &bucket.name, error);
    }
    Ok(())
}

/// A setting as the resource that Terraform has for it.
fn draft(cx: &Context, bucket: &Bucket, provider_type: &'static str, setting: Setting) -> Option<Draft> {
    let (properties, managed_by) = match setting {
        Setting::Absent => return None,
        Setting::Default(properties) => (properties, Some("default of the bucket")),
        Setting::Chosen(properties) => (properties, None),
    };
    let draft = cx
        .resource(provider_type, &bucket.name)
        .region(&bucket.region)
        .name(&bucket.name)
        .part_of("aws_s3_bucket", &bucket.name)
        .properties(properties.set("bucket", &bucket.name));
    Some(match managed_by {
        Some(why) => draft.managed_by(why),
        None => draft,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_the_bucket_and_its_settings() {
        let settings: Vec<&str> = SETTINGS.iter().map(|setting| setting.provider_type).collect();
        assert_eq!(ALL_TYPES[0], "aws_s3_bucket");
        assert_eq!(&ALL_TYPES[1..], settings);
    }

    #[test]
    fn constraints_of_old_buckets_are_regions() {
        assert_eq!(region_of(None), "us-east-1");
        assert_eq!(region_of(Some(&BucketLocationConstraint::from(""))), "us-east-1");
        assert_eq!(region_of(Some(&BucketLocationConstraint::Eu)), "eu-west-1");
        assert_eq!(region_of(Some(&BucketLocationConstraint::from("me-central-1"))), "me-central-1");
    }
}
