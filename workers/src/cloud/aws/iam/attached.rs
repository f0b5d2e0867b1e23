//! What hangs on a role, user or group: its inline policies and the managed policies attached to it. Terraform has the
//! same two resources for each of the three.

use aws_sdk_iam::types::{AttachedPolicy, PolicyDetail};
use serde_json::{Value, json};

use super::document;
use crate::cloud::Properties;
use crate::cloud::aws::reader::{Context, Draft};

/// Terraform's names for one kind of principal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// Of the principal itself.
    pub provider_type: &'static str,
    /// The attribute of the other two that names it.
    pub attribute: &'static str,
    /// Its inline policies.
    pub inline: &'static str,
    /// Managed policies attached to it.
    pub attachment: &'static str,
}

pub(super) const ROLE: Kind = Kind {
    provider_type: "aws_iam_role",
    attribute: "role",
    inline: "aws_iam_role_policy",
    attachment: "aws_iam_role_policy_attachment",
};

pub(super) const USER: Kind = Kind {
    provider_type: "aws_iam_user",
    attribute: "user",
    inline: "aws_iam_user_policy",
    attachment: "aws_iam_user_policy_attachment",
};

pub(super) const GROUP: Kind = Kind {
    provider_type: "aws_iam_group",
    attribute: "group",
    inline: "aws_iam_group_policy",
    attachment: "aws_iam_group_policy_attachment",
};

/// A role, user or group with its policies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Principal<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub inline: &'a [PolicyDetail],
    pub attached: &'a [AttachedPolicy],
    /// Why the principal, and so what hangs on it, is not the customer's.
    pub managed_by: Option<&'static str>,
}

impl Principal<'_> {
    /// Its policies and attachments, each as the resource that Terraform has for it.
    pub(super) fn parts(&self, cx: &Context) -> Vec<Draft> {
        let Kind { attribute, inline, attachment, .. } = self.kind;
        let policies = inline_policies(self.inline).map(|(name, policy)| {
            let properties = Properties::new().set(attribute, self.name).set("name", name).set("policy", policy);
            self.part(cx.resource(inline, format!("{}:{name}", self.name)), properties)
        });
        let attachments = policy_arns(self.attached).map(|arn| {
            let properties = Properties::new().set(attribute, self.name).set("policy_arn", arn);
            self.part(cx.resource(attachment, format!("{}/{arn}", self.name)), properties)
        });
        policies.chain(attachments).collect()
    }

    fn part(&self, draft: Draft, properties: Properties) -> Draft {
        let draft = draft.part_of(self.kind.provider_type, self.name).properties(properties);
        match self.managed_by {
            Some(why) => draft.managed_by(why),
            None => draft,
        }
    }
}

/// Inline policies by name.
fn inline_policies(policies: &[PolicyDetail]) -> impl Iterator<Item = (&str, String)> {
    policies.iter().filter_map(|policy| Some((policy.policy_name()?, document(policy.policy_document()?))))
}

/// The ARNs of attached policies.
pub(super) fn policy_arns(attached: &[AttachedPolicy]) -> impl Iterator<Item = &str> {
    attached.iter().filter_map(AttachedPolicy::policy_arn)
}

/// The same inline policies as blocks of their principal.
pub(super) fn inline_blocks(policies: &[PolicyDetail]) -> Vec<Value> {
    inline_policies(policies).map(|(name, policy)| json!({"name": name, "policy": policy})).collect()
}
