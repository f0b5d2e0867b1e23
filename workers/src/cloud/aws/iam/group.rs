//! Groups. Terraform: `aws_iam_group` and its policies. Who is in it is told with each user.

use aws_sdk_iam::types::GroupDetail;

use super::attached::{GROUP, Principal};
use crate::cloud::Properties;
use crate::cloud::aws::reader::{Context, Draft};

/// The group, its inline policies and its attachments.
pub(super) fn drafts(cx: &Context, group: &GroupDetail) -> Vec<Draft> {
    let Some(name) = group.group_name() else {
        return Vec::new();
    };
    let properties = Properties::new()
        .told("arn", group.arn())
        .set("name", name)
        .told("path", group.path())
        .told("unique_id", group.group_id());
    let principal = Principal {
        kind: GROUP,
        name,
        inline: group.group_policy_list(),
        attached: group.attached_managed_policies(),
        managed_by: None,
    };
    std::iter::once(cx.resource("aws_iam_group", name).properties(properties)).chain(principal.parts(cx)).collect()
}
