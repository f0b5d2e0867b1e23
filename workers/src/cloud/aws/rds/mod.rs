//! Readers of RDS: instances, Aurora and Multi-AZ clusters, and the groups they refer to.
//!
//! Neptune and `DocumentDB` answer to the same API; their instances and clusters are other Terraform types and are left out.

mod cluster;
mod instance;
mod parameter_group;
mod snapshot;
mod subnet_group;

use aws_sdk_rds::types::{MasterUserSecret, Tag, VpcSecurityGroupMembership};

use super::reader::{Context, Reader};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// All readers of this service.
pub const READERS: &[Reader] = &[
    instance::READER,
    cluster::READER,
    subnet_group::READER,
    parameter_group::READER,
    parameter_group::CLUSTER_READER,
    snapshot::READER,
];

/// What RDS answers for a thing that was deleted since it was listed.
const GONE: &[&str] = &["DBParameterGroupNotFound", "DBParameterGroupNotFoundFault", "DBSubnetGroupNotFoundFault"];

/// States in which a thing stays until somebody does something. Others pass, and come back every night.
const SETTLED: &[&str] = &["available", "failed", "inaccessible-encryption-credentials", "stopped", "storage-full"];

/// RDS's tags as pairs.
fn tags(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))
}

/// The tags of something whose list does not bring them; `None` when it is gone.
async fn tags_of(cx: &Context, arn: &str) -> Result<Option<Vec<Tag>>, ReadError> {
    let asked = cx.rds().list_tags_for_resource().resource_name(arn).send().await;
    Ok(asked.or_absent(GONE)?.map(|answer| answer.tag_list.unwrap_or_default()))
}

fn is_other_service(engine: Option<&str>) -> bool {
    matches!(engine, Some("neptune" | "docdb"))
}

fn settled(status: Option<&str>) -> Option<&str> {
    status.filter(|status| SETTLED.contains(status))
}

fn security_groups(of: &[VpcSecurityGroupMembership]) -> Vec<&str> {
    of.iter().filter_map(|group| group.vpc_security_group_id()).collect()
}

/// The block `master_user_secret`; its status passes by itself.
fn master_user_secret(of: &MasterUserSecret) -> Properties {
    Properties::new()
        .set("kms_key_id", of.kms_key_id())
        .set("secret_arn", of.secret_arn())
        .told("secret_status", of.secret_status().filter(|status| *status == "active"))
}
