//! Users. Terraform: `aws_iam_user`, its policies, and `aws_iam_user_group_membership`.

use aws_sdk_iam::types::UserDetail;

use super::attached::{Principal, USER};
use super::{boundary, tags};
use crate::cloud::Properties;
use crate::cloud::aws::reader::{Context, Draft};

/// The user, its inline policies, its attachments, and the groups it is in.
pub(super) fn drafts(cx: &Context, user: &UserDetail) -> Vec<Draft> {
    let Some(name) = user.user_name() else {
        return Vec::new();
    };
    let principal = Principal {
        kind: USER,
        name,
        inline: user.user_policy_list(),
        attached: user.attached_managed_policies(),
        managed_by: None,
    };
    let membership = (!user.group_list().is_empty()).then(|| membership(cx, name, user.group_list()));
    std::iter::once(cx.resource("aws_iam_user", name).properties(properties(user)))
        .chain(principal.parts(cx))
        .chain(membership)
        .collect()
}

fn properties(user: &UserDetail) -> Properties {
    Properties::new()
        .told("arn", user.arn())
        .told("name", user.user_name())
        .told("path", user.path())
        .told("unique_id", user.user_id())
        .set("permissions_boundary", boundary(user.permissions_boundary()))
        .tags(tags(user.tags()))
}

/// One for each user with all its groups; Terraform's own id of it is random.
fn membership(cx: &Context, user: &str, groups: &[String]) -> Draft {
    let mut groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    groups.sort_unstable();
    cx.resource("aws_iam_user_group_membership", format!("{user}/{}", groups.join("/")))
        .part_of("aws_iam_user", user)
        .properties(Properties::new().set("user", user).set("groups", groups))
}
