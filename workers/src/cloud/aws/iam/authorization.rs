//! Users, groups, roles, customer-managed policies and what is attached to whom, out of
//! `GetAccountAuthorizationDetails`.
//!
//! That answer has every document and the tags of roles and users. It leaves out a role's description and longest
//! session, which `ListRoles` tells for all of them, and a policy's tags and description, which only `GetPolicy` tells.
//! AWS-managed policies are not asked for: they are nobody's to declare.

use std::collections::HashMap;

use aws_sdk_iam::types::EntityType;

use super::{group, policy, role, user};
use crate::cloud::ReadError;
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};

/// `GetAccountAuthorizationDetails`, `ListRoles` and `GetPolicy`.
pub const READER: Reader = Reader {
    service: "iam",
    types: &[
        "aws_iam_group",
        "aws_iam_group_policy",
        "aws_iam_group_policy_attachment",
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_iam_service_linked_role",
        "aws_iam_user",
        "aws_iam_user_group_membership",
        "aws_iam_user_policy",
        "aws_iam_user_policy_attachment",
    ],
    scope: Scope::Global,
    read: |cx| Box::pin(read(cx)),
};

/// Principals and policies in one page. AWS's maximum is 1000, but documents make such a page slow.
const PAGE: i32 = 300;

/// The part of the answer that each type needs. Service-linked roles come with roles.
const ENTITIES: &[(EntityType, &str)] = &[
    (EntityType::Role, "aws_iam_role"),
    (EntityType::Role, "aws_iam_service_linked_role"),
    (EntityType::User, "aws_iam_user"),
    (EntityType::Group, "aws_iam_group"),
    (EntityType::LocalManagedPolicy, "aws_iam_policy"),
];

async fn read(cx: Context) -> Result<(), ReadError> {
    let entities = entities(|provider_type| cx.wants(provider_type));
    let listed = if entities.contains(&EntityType::Role) { list_roles(&cx).await } else { HashMap::new() };
    let mut pages =
        cx.iam().get_account_authorization_details().set_filter(Some(entities)).max_items(PAGE).into_paginator().send();
    let mut policies = Vec::new();
    while let Some(page) = pages.try_next().await? {
        let roles = page.role_detail_list().iter().flat_map(|role| {
            let listed = role.role_name().and_then(|name| listed.get(name));
            role::drafts(&cx, role, listed)
        });
        let users = page.user_detail_list().iter().flat_map(|user| user::drafts(&cx, user));
        let groups = page.group_detail_list().iter().flat_map(|group| group::drafts(&cx, group));
        let drafts: Vec<Draft> = roles.chain(users).chain(groups).collect();
        for draft in drafts {
            cx.emit(draft).await;
        }
        policies.extend(page.policies.unwrap_or_default());
    }
    if cx.wants("aws_iam_policy") {
        cx.for_each(policies, policy::read).await?;
    }
    Ok(())
}

/// What to ask for, given what is wanted; `aws_iam_role_policy` needs the roles as `aws_iam_role` does.
fn entities(wants: impl Fn(&str) -> bool) -> Vec<EntityType> {
    let mut entities = Vec::new();
    for (entity, prefix) in ENTITIES {
        let needed = READER.types.iter().any(|name| name.starts_with(prefix) && wants(name));
        if needed && !entities.contains(entity) {
            entities.push(entity.clone());
        }
    }
    entities
}

/// Refused, this costs two attributes of the roles and no role.
async fn list_roles(cx: &Context) -> HashMap<String, role::Listed> {
    let mut roles = cx.iam().list_roles().into_paginator().items().send();
    let mut listed = HashMap::new();
    loop {
        match roles.try_next().await {
            Ok(Some(role)) => {
                listed.insert(role.role_name.clone(), role.into());
            }
            Ok(None) => return listed,
            Err(error) => {
                cx.unreadable(&[], error.into());
                return listed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_asked_for() {
        assert_eq!(entities(|name| name == "aws_iam_user_policy"), [EntityType::User]);
        assert_eq!(entities(|name| name == "aws_iam_service_linked_role"), [EntityType::Role]);
        assert_eq!(entities(|name| name == "aws_iam_policy"), [EntityType::LocalManagedPolicy]);
        assert_eq!(entities(|_| true).len(), 4);
    }
}
