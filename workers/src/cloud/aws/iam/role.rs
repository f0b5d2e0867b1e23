//! Roles. Terraform: `aws_iam_role`, or `aws_iam_service_linked_role` for those that only AWS may use and edit.

use aws_sdk_iam::types::{Role, RoleDetail};

use super::attached::{Principal, ROLE, inline_blocks, policy_arns};
use super::{boundary, document, tags};
use crate::cloud::Properties;
use crate::cloud::aws::reader::{Context, Draft};

/// Where AWS keeps its own roles. Source: IAM user guide, "Service-linked roles"; IAM Identity Center user guide,
/// "Referencing permission sets in resource policies".
const SERVICE_LINKED: &str = "/aws-service-role/";
const RESERVED: &str = "/aws-reserved/";

/// What `ListRoles` tells and `GetAccountAuthorizationDetails` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    description: Option<String>,
    max_session_duration: Option<i32>,
}

impl From<Role> for Listed {
    fn from(role: Role) -> Self {
        Self { description: role.description, max_session_duration: role.max_session_duration }
    }
}

/// The role, its inline policies and its attachments.
pub(super) fn drafts(cx: &Context, role: &RoleDetail, listed: Option<&Listed>) -> Vec<Draft> {
    let (Some(name), Some(arn)) = (role.role_name(), role.arn()) else {
        return Vec::new();
    };
    let path = role.path().unwrap_or("/");
    if let Some(service) = service_of(path) {
        let draft = cx
            .resource("aws_iam_service_linked_role", arn)
            .managed_by("service-linked role")
            .properties(service_linked(role, service, listed));
        return vec![draft];
    }
    let managed_by = path.starts_with(RESERVED).then_some("IAM Identity Center");
    let draft = cx.resource("aws_iam_role", name).properties(properties(role, listed));
    let draft = match managed_by {
        Some(why) => draft.managed_by(why),
        None => draft,
    };
    let principal = Principal {
        kind: ROLE,
        name,
        inline: role.role_policy_list(),
        attached: role.attached_managed_policies(),
        managed_by,
    };
    std::iter::once(draft).chain(principal.parts(cx)).collect()
}

/// `ecs.amazonaws.com` out of `/aws-service-role/ecs.amazonaws.com/`.
fn service_of(path: &str) -> Option<&str> {
    path.strip_prefix(SERVICE_LINKED).map(|rest| rest.trim_end_matches('/'))
}

fn properties(role: &RoleDetail, listed: Option<&Listed>) -> Properties {
    let arns: Vec<&str> = policy_arns(role.attached_managed_policies()).collect();
    common(role, listed)
        .told("assume_role_policy", role.assume_role_policy_document().map(document))
        .told("max_session_duration", listed.and_then(|listed| listed.max_session_duration))
        .set("permissions_boundary", boundary(role.permissions_boundary()))
        .set("inline_policy", inline_blocks(role.role_policy_list()))
        .set("managed_policy_arns", arns)
}

fn service_linked(role: &RoleDetail, service: &str, listed: Option<&Listed>) -> Properties {
    let suffix = role.role_name().and_then(|name| name.split_once('_')).map(|(_, suffix)| suffix);
    common(role, listed).set("aws_service_name", service).set("custom_suffix", suffix)
}

fn common(role: &RoleDetail, listed: Option<&Listed>) -> Properties {
    let properties = Properties::new()
        .told("arn", role.arn())
        .told("name", role.role_name())
        .told("path", role.path())
        .told("unique_id", role.role_id())
        .tags(tags(role.tags()));
    match listed {
        // Without a description, which is not the same as not being told.
        Some(listed) => properties.set("description", &listed.description),
        None => properties,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{AttachedPermissionsBoundary, AttachedPolicy, PolicyDetail, Tag};
    use serde_json::{Value, json};

    use super::*;

    fn app() -> aws_sdk_iam::types::builders::RoleDetailBuilder {
        RoleDetail::builder()
            .role_name("app")
            .role_id("AROA1")
            .path("/")
            .arn("arn:aws:iam::123456789012:role/app")
            .assume_role_policy_document("%7B%22Version%22%3A%222012-10-17%22%7D")
    }

    #[test]
    fn a_role_with_everything() {
        let role = app()
            .permissions_boundary(
                AttachedPermissionsBoundary::builder()
                    .permissions_boundary_arn("arn:aws:iam::aws:policy/PowerUserAccess")
                    .build(),
            )
            .role_policy_list(PolicyDetail::builder().policy_name("inline").policy_document("%7B%7D").build())
            .attached_managed_policies(AttachedPolicy::builder().policy_arn("arn:p").policy_name("p").build())
            .tags(Tag::builder().key("team").value("web").build().unwrap())
            .tags(Tag::builder().key("aws:cloudformation:stack-id").value("x").build().unwrap())
            .build();
        let listed = Listed { description: Some("The app".to_owned()), max_session_duration: Some(3600) };
        assert_eq!(
            Value::from(properties(&role, Some(&listed))),
            json!({
                "tags": {"team": "web"},
                "arn": "arn:aws:iam::123456789012:role/app",
                "name": "app",
                "path": "/",
                "unique_id": "AROA1",
                "description": "The app",
                "assume_role_policy": r#"{"Version":"2012-10-17"}"#,
                "max_session_duration": 3600,
                "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
                "inline_policy": [{"name": "inline", "policy": "{}"}],
                "managed_policy_arns": ["arn:p"],
            })
        );
    }

    #[test]
    fn what_only_the_listing_tells_is_left_out_without_it() {
        let written = properties(&app().build(), None);
        assert_eq!(written.get("description"), None);
        assert_eq!(written.get("max_session_duration"), None);
        let listed = Listed { description: None, max_session_duration: None };
        assert_eq!(properties(&app().build(), Some(&listed)).get("description"), Some(&Value::Null));
    }

    #[test]
    fn the_path_tells_whose_role_it_is() {
        assert_eq!(service_of("/aws-service-role/ecs.amazonaws.com/"), Some("ecs.amazonaws.com"));
        assert_eq!(service_of("/service-role/"), None);
        let role = RoleDetail::builder().role_name("AWSServiceRoleForAutoScaling_blue").build();
        let written = service_linked(&role, "autoscaling.amazonaws.com", None);
        assert_eq!(written.get("custom_suffix"), Some(&json!("blue")));
    }
}
