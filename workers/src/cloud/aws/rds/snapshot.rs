//! Snapshots that people took. Terraform: `aws_db_snapshot`.

use aws_sdk_rds::types::DbSnapshot;

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeDBSnapshots` of the manual kind: RDS's own backups are not listed.
pub const READER: Reader =
    Reader { service: "rds", types: &["aws_db_snapshot"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut snapshots = cx.rds().describe_db_snapshots().snapshot_type("manual").into_paginator().items().send();
    while let Some(snapshot) = snapshots.try_next().await? {
        let Some(id) = snapshot.db_snapshot_identifier() else {
            continue;
        };
        let mut draft = cx.resource("aws_db_snapshot", id).name(id);
        if let Some(arn) = snapshot.db_snapshot_arn() {
            draft = draft.arn(arn);
        }
        cx.emit(draft.properties(shape(&snapshot).tags(tags(snapshot.tag_list())))).await;
    }
    Ok(())
}

fn shape(snapshot: &DbSnapshot) -> Properties {
    Properties::new()
        .set("db_snapshot_identifier", snapshot.db_snapshot_identifier())
        .set("db_snapshot_arn", snapshot.db_snapshot_arn())
        .set("db_instance_identifier", snapshot.db_instance_identifier())
        .told("allocated_storage", snapshot.allocated_storage())
        .set("availability_zone", snapshot.availability_zone())
        .told("encrypted", snapshot.encrypted())
        .set("engine", snapshot.engine())
        .set("engine_version", snapshot.engine_version())
        .told("iops", snapshot.iops())
        .set("kms_key_id", snapshot.kms_key_id())
        .set("license_model", snapshot.license_model())
        .told("option_group_name", snapshot.option_group_name())
        .told("port", snapshot.port())
        .set("snapshot_type", snapshot.snapshot_type())
        .set("source_db_snapshot_identifier", snapshot.source_db_snapshot_identifier())
        .set("source_region", snapshot.source_region())
        .told("storage_type", snapshot.storage_type())
        .set("vpc_id", snapshot.vpc_id())
}
