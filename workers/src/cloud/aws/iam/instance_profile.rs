//! Instance profiles. Terraform: `aws_iam_instance_profile`.

use aws_sdk_iam::types::{InstanceProfile, Role};

use super::{ABSENT, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListInstanceProfiles`, and `GetInstanceProfile` for the tags, which the listing leaves out.
pub const READER: Reader = Reader {
    service: "iam",
    types: &["aws_iam_instance_profile"],
    scope: Scope::Global,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut pages = cx.iam().list_instance_profiles().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(profile) = pages.try_next().await? {
        names.push(profile.instance_profile_name);
    }
    cx.for_each(names, |cx, name| async move {
        let answer = cx.iam().get_instance_profile().instance_profile_name(&name).send().await.or_absent(ABSENT)?;
        if let Some(profile) = answer.and_then(|answer| answer.instance_profile) {
            let draft = cx.resource("aws_iam_instance_profile", name).properties(properties(&profile));
            cx.emit(draft).await;
        }
        Ok(())
    })
    .await
}

/// A profile holds one role at most, although the API answers a list.
fn properties(profile: &InstanceProfile) -> Properties {
    Properties::new()
        .set("arn", profile.arn())
        .set("name", profile.instance_profile_name())
        .set("path", profile.path())
        .set("role", profile.roles().first().map(Role::role_name))
        .set("unique_id", profile.instance_profile_id())
        .tags(tags(profile.tags()))
}
