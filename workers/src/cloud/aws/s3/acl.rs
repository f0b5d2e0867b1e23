//! `aws_s3_bucket_acl`. The API tells the grants, never the canned ACL they came from, so only `access_control_policy` is
//! written. The owner's full control alone is what every bucket has.

use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use aws_sdk_s3::types::{Grant, Grantee, Permission};

use super::bucket::{Bucket, Setting};
use crate::cloud::{Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_acl().bucket(&bucket.name).send().await?;
    let properties = properties(&answer);
    Ok(if is_private(&answer) { Setting::Default(properties) } else { Setting::Chosen(properties) })
}

fn is_private(answer: &GetBucketAclOutput) -> bool {
    let owner = answer.owner().and_then(|owner| owner.id());
    let owners_own = |grant: &Grant| {
        grant.permission == Some(Permission::FullControl) && grant.grantee().and_then(Grantee::id) == owner
    };
    owner.is_some() && answer.grants().iter().all(owners_own)
}

fn properties(answer: &GetBucketAclOutput) -> Properties {
    let owner =
        answer.owner().map(|owner| Properties::new().set("id", owner.id()).told("display_name", owner.display_name()));
    let policy = Properties::new().blocks("grant", answer.grants().iter().map(grant)).block("owner", owner);
    Properties::new().block("access_control_policy", Some(policy))
}

fn grant(grant: &Grant) -> Properties {
    Properties::new()
        .set("permission", grant.permission().map(Permission::as_str))
        .block("grantee", grant.grantee().map(grantee))
}

/// A grantee, here and in logging's grants. `display_name` is computed, and S3 stopped telling it in November 2025.
pub(super) fn grantee(grantee: &Grantee) -> Properties {
    Properties::new()
        .set("type", grantee.r#type().as_str())
        .set("id", grantee.id())
        .set("uri", grantee.uri())
        .set("email_address", grantee.email_address())
        .told("display_name", grantee.display_name())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{Owner, Type};
    use serde_json::{Value, json};

    use super::*;

    fn to_owner() -> Grant {
        let grantee = Grantee::builder().r#type(Type::CanonicalUser).id("75aa").build().unwrap();
        Grant::builder().grantee(grantee).permission(Permission::FullControl).build()
    }

    fn to_everyone() -> Grant {
        let uri = "http://acs.amazonaws.com/groups/global/AllUsers";
        let grantee = Grantee::builder().r#type(Type::Group).uri(uri).build().unwrap();
        Grant::builder().grantee(grantee).permission(Permission::Read).build()
    }

    fn answer(grants: Vec<Grant>) -> GetBucketAclOutput {
        GetBucketAclOutput::builder().owner(Owner::builder().id("75aa").build()).set_grants(Some(grants)).build()
    }

    #[test]
    fn only_the_owners_grant_is_the_default() {
        assert!(is_private(&answer(vec![to_owner()])));
        assert!(!is_private(&answer(vec![to_owner(), to_everyone()])));
        assert!(!is_private(&GetBucketAclOutput::builder().grants(to_owner()).build()));
    }

    #[test]
    fn grants_are_written_as_terraform_writes_them() {
        assert_eq!(
            Value::from(properties(&answer(vec![to_everyone()]))),
            json!({"access_control_policy": [{
                "grant": [{
                    "permission": "READ",
                    "grantee": [{
                        "type": "Group", "id": null, "email_address": null,
                        "uri": "http://acs.amazonaws.com/groups/global/AllUsers",
                    }],
                }],
                "owner": [{"id": "75aa"}],
            }]})
        );
    }
}
