//! EBS snapshots that this account owns. Terraform: `aws_ebs_snapshot`.

use aws_sdk_ec2::types::{Filter, StorageTier};

use super::{tag, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeSnapshots`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_ebs_snapshot"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

/// How EC2 describes the snapshots that it makes for an image. Source: EC2 user guide, "Create an Amazon EBS-backed AMI".
const OF_IMAGE: &str = "Created by CreateImage(";
/// A tag of AWS Backup, and one of Data Lifecycle Manager, on what they make.
const MAKERS: &[(&str, &str)] =
    &[("aws:backup:source-resource", "AWS Backup"), ("aws:dlm:lifecycle-policy-id", "Data Lifecycle Manager")];

async fn read(cx: Context) -> Result<(), ReadError> {
    // By the filter, too: `self` alone is not understood by doubles of AWS, which then list everybody's.
    let ours = Filter::builder().name("owner-id").values(cx.account_id()).build();
    let snapshots = cx.ec2().describe_snapshots().owner_ids("self").filters(ours);
    let mut snapshots = snapshots.into_paginator().items().send();
    while let Some(snapshot) = snapshots.try_next().await? {
        let Some(id) = snapshot.snapshot_id() else { continue };
        let description = snapshot.description().unwrap_or_default();
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("snapshot/{id}")))
            .set("description", description)
            .told("encrypted", snapshot.encrypted())
            .set("kms_key_id", snapshot.kms_key_id())
            .set("outpost_arn", snapshot.outpost_arn())
            .set("owner_id", snapshot.owner_id())
            .told("storage_tier", snapshot.storage_tier().map(StorageTier::as_str))
            .set("volume_id", snapshot.volume_id())
            .set("volume_size", snapshot.volume_size())
            .tags(tags(snapshot.tags()));
        let draft = cx.resource("aws_ebs_snapshot", id).properties(properties);
        let maker = MAKERS.iter().find(|(key, _)| tag(snapshot.tags(), key).is_some());
        let draft = match maker {
            Some((_, name)) => draft.managed_by(format!("made by {name}")),
            None if description.starts_with(OF_IMAGE) => draft.managed_by("snapshot of an image"),
            None => draft,
        };
        cx.emit(draft).await;
    }
    Ok(())
}
