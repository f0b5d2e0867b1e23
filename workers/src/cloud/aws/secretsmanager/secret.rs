//! Secrets, their policies and their rotation.
//! Terraform: `aws_secretsmanager_secret`, `aws_secretsmanager_secret_policy`, `aws_secretsmanager_secret_rotation`.
//!
//! A secret that is scheduled for deletion is not listed: it counts as gone, as it does for Terraform.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::RotationRulesType;

use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListSecrets`; `DescribeSecret` and `GetResourcePolicy` for each.
pub const READER: Reader = Reader {
    service: "secretsmanager",
    types: &["aws_secretsmanager_secret", "aws_secretsmanager_secret_policy", "aws_secretsmanager_secret_rotation"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// What Secrets Manager answers for a secret that was deleted since it was listed (at once, or with a recovery window).
const GONE: &[&str] = &["ResourceNotFoundException", "InvalidRequestException"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.secretsmanager().list_secrets().into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await?;
    let arns = pages
        .into_iter()
        .flat_map(|page| page.secret_list.unwrap_or_default())
        .filter_map(|secret| secret.arn)
        .filter(|arn| cx.only().is_none_or(|only| only == arn));
    cx.for_each_allowed(arns, read_one).await
}

async fn read_one(cx: Context, arn: String) -> Result<(), ReadError> {
    let described = cx.secretsmanager().describe_secret().secret_id(&arn).send().await;
    let Some(secret) = described.or_absent(GONE)?.filter(|secret| secret.deleted_date().is_none()) else {
        return Ok(());
    };
    let asked = cx.secretsmanager().get_resource_policy().secret_id(&arn).send().await;
    let Some(answer) = asked.or_absent(GONE)? else {
        return Ok(());
    };
    let policy = answer.resource_policy().filter(|document| !document.is_empty());
    let managed = managed_by(&secret, cx.region());
    let parent = "aws_secretsmanager_secret";

    let tags = secret.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
    let mut draft =
        cx.resource("aws_secretsmanager_secret", &arn).properties(shape(&secret).set("policy", policy).tags(tags));
    if let Some(why) = &managed {
        draft = draft.managed_by(why);
    }
    cx.emit(draft).await;

    if let Some(document) = policy {
        let properties = Properties::new().set("secret_arn", &arn).set("policy", document);
        let draft = cx.resource("aws_secretsmanager_secret_policy", &arn).part_of(parent, &arn);
        cx.emit(draft.properties(properties)).await;
    }
    if secret.rotation_enabled() == Some(true) {
        let mut draft = cx
            .resource("aws_secretsmanager_secret_rotation", &arn)
            .part_of(parent, &arn)
            .properties(rotation(&arn, &secret));
        if let Some(why) = managed {
            draft = draft.managed_by(why);
        }
        cx.emit(draft).await;
    }
    Ok(())
}

/// Secrets that another service keeps (the passwords of RDS), and copies of a secret of another region.
fn managed_by(secret: &DescribeSecretOutput, region: &str) -> Option<String> {
    match (secret.owning_service(), secret.primary_region()) {
        (Some(service), _) => Some(format!("kept by {service}")),
        (None, Some(primary)) if primary != region => Some(format!("replica of the secret in {primary}")),
        _ => None,
    }
}

/// `aws_secretsmanager_secret` without policy and tags.
fn shape(secret: &DescribeSecretOutput) -> Properties {
    let properties = Properties::new()
        .set("arn", secret.arn())
        .set("name", secret.name())
        .set("description", secret.description())
        .set("kms_key_id", secret.kms_key_id());
    // What Terraform keeps of a replica also holds when it was last read: only whether there are any can be compared.
    if secret.replication_status().is_empty() { properties.blocks("replica", []) } else { properties }
}

fn rotation(arn: &str, secret: &DescribeSecretOutput) -> Properties {
    Properties::new()
        .set("secret_id", arn)
        .set("rotation_enabled", true)
        .set("rotation_lambda_arn", secret.rotation_lambda_arn())
        .block("rotation_rules", secret.rotation_rules().map(rules))
}

fn rules(of: &RotationRulesType) -> Properties {
    // With a schedule AWS also works out the days; Terraform keeps the one that was written.
    let days = of.automatically_after_days().filter(|_| of.schedule_expression().is_none());
    Properties::new()
        .told("automatically_after_days", days)
        .set("duration", of.duration())
        .set("schedule_expression", of.schedule_expression())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::types::ReplicationStatusType;
    use serde_json::json;

    #[test]
    fn days_or_a_schedule_never_both() {
        let days = RotationRulesType::builder().automatically_after_days(30);
        assert_eq!(
            json!(rules(&days.clone().build())),
            json!({"automatically_after_days": 30, "duration": null, "schedule_expression": null})
        );
        let schedule = days.schedule_expression("rate(10 days)").build();
        assert_eq!(rules(&schedule).get("automatically_after_days"), None);
        assert_eq!(rules(&schedule).get("schedule_expression"), Some(&json!("rate(10 days)")));
    }

    #[test]
    fn whose_it_is() {
        let secret = DescribeSecretOutput::builder();
        let of = |secret: &DescribeSecretOutput| managed_by(secret, "eu-west-1");
        assert_eq!(of(&secret.clone().build()), None);
        assert_eq!(of(&secret.clone().primary_region("eu-west-1").build()), None);
        assert_eq!(
            of(&secret.clone().primary_region("us-east-1").build()).as_deref(),
            Some("replica of the secret in us-east-1")
        );
        assert_eq!(of(&secret.owning_service("rds").build()).as_deref(), Some("kept by rds"));
    }

    #[test]
    fn replicas_are_told_only_when_there_are_none() {
        assert_eq!(shape(&DescribeSecretOutput::builder().build()).get("replica"), Some(&json!([])));
        let replica = ReplicationStatusType::builder().region("us-east-1").build();
        let secret = DescribeSecretOutput::builder().replication_status(replica).build();
        assert_eq!(shape(&secret).get("replica"), None);
    }
}
