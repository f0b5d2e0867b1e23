//! Customer-managed policies. Terraform: `aws_iam_policy`.

use aws_sdk_iam::types::{ManagedPolicyDetail, Policy, PolicyVersion};

use super::{ABSENT, document, tags};
use crate::cloud::aws::reader::Context;
use crate::cloud::{Properties, ReadError};

/// Tags and description are told by `GetPolicy` alone, hence a call for each.
pub(super) async fn read(cx: Context, detail: ManagedPolicyDetail) -> Result<(), ReadError> {
    let Some(arn) = detail.arn() else {
        return Ok(());
    };
    let answer = cx.iam().get_policy().policy_arn(arn).send().await.map_err(ReadError::from);
    let policy = match answer {
        Ok(answer) => answer.policy,
        Err(error) if error.is(ABSENT) => return Ok(()),
        Err(error) => {
            cx.unreadable(&[], error);
            None
        }
    };
    let draft = cx.resource("aws_iam_policy", arn).properties(properties(&detail, policy.as_ref()));
    cx.emit(draft).await;
    Ok(())
}

fn properties(detail: &ManagedPolicyDetail, policy: Option<&Policy>) -> Properties {
    let name = detail.policy_name().or_else(|| policy?.policy_name());
    let properties = Properties::new()
        .set("arn", detail.arn())
        .told("name", name)
        .told("path", detail.path())
        .told("policy_id", detail.policy_id().or_else(|| policy?.policy_id()))
        .told("policy", default_document(detail));
    match policy {
        Some(policy) => properties.set("description", policy.description()).tags(tags(policy.tags())),
        None => properties,
    }
}

fn default_document(detail: &ManagedPolicyDetail) -> Option<String> {
    let is_default =
        |version: &&PolicyVersion| version.is_default_version || version.version_id() == detail.default_version_id();
    let version = detail.policy_version_list().iter().find(is_default)?;
    version.document().map(document)
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::Tag;
    use serde_json::{Value, json};

    use super::*;

    fn version(id: &str, is_default: bool, document: &str) -> PolicyVersion {
        PolicyVersion::builder().version_id(id).is_default_version(is_default).document(document).build()
    }

    #[test]
    fn the_default_version_counts() {
        let detail = ManagedPolicyDetail::builder()
            .arn("arn:aws:iam::123456789012:policy/app")
            .policy_name("app")
            .policy_id("ANPA1")
            .path("/")
            .default_version_id("v2")
            .policy_version_list(version("v3", false, "%7B%22new%22%3A1%7D"))
            .policy_version_list(version("v2", true, "%7B%22now%22%3A1%7D"))
            .build();
        let policy = Policy::builder()
            .description("What the app may do")
            .tags(Tag::builder().key("team").value("web").build().unwrap())
            .build();
        assert_eq!(
            Value::from(properties(&detail, Some(&policy))),
            json!({
                "arn": "arn:aws:iam::123456789012:policy/app",
                "name": "app",
                "path": "/",
                "policy_id": "ANPA1",
                "policy": r#"{"now":1}"#,
                "description": "What the app may do",
                "tags": {"team": "web"},
            })
        );
        assert_eq!(properties(&detail, None).get("tags"), None);
    }
}
