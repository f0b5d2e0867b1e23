//! How users get in: access keys (Terraform: `aws_iam_access_key`) and passwords for the console
//! (`aws_iam_user_login_profile`). IAM tells both for one user at a time.

use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};

use super::ABSENT;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

const ACCESS_KEY: &str = "aws_iam_access_key";
const LOGIN_PROFILE: &str = "aws_iam_user_login_profile";

/// `ListUsers`, then `ListAccessKeys` and `GetLoginProfile` for each.
pub const READER: Reader =
    Reader { service: "iam", types: &[ACCESS_KEY, LOGIN_PROFILE], scope: Scope::Global, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut pages = cx.iam().list_users().into_paginator().items().send();
    let mut users = Vec::new();
    while let Some(user) = pages.try_next().await? {
        users.push(user.user_name);
    }
    cx.for_each(users, |cx, user| async move {
        if cx.wants(ACCESS_KEY)
            && let Err(error) = read_keys(&cx, &user).await
        {
            cx.unreadable(&[ACCESS_KEY], error);
        }
        if cx.wants(LOGIN_PROFILE)
            && let Err(error) = read_login_profile(&cx, &user).await
        {
            cx.unreadable(&[LOGIN_PROFILE], error);
        }
        Ok(())
    })
    .await
}

async fn read_keys(cx: &Context, user: &str) -> Result<(), ReadError> {
    let mut pages = cx.iam().list_access_keys().user_name(user).into_paginator().items().send();
    loop {
        // A user may be deleted while its keys are being listed.
        let Some(key) = pages.try_next().await.or_absent(ABSENT)?.flatten() else {
            return Ok(());
        };
        let Some(id) = key.access_key_id() else { continue };
        let draft = cx.resource(ACCESS_KEY, id).name(id).part_of("aws_iam_user", user).properties(key_properties(&key));
        cx.emit(draft).await;
    }
}

fn key_properties(key: &AccessKeyMetadata) -> Properties {
    Properties::new().set("user", key.user_name()).set("status", key.status().map(StatusType::as_str))
}

async fn read_login_profile(cx: &Context, user: &str) -> Result<(), ReadError> {
    let answer = cx.iam().get_login_profile().user_name(user).send().await.or_absent(ABSENT)?;
    let Some(profile) = answer.and_then(|answer| answer.login_profile) else {
        return Ok(());
    };
    let properties = Properties::new()
        .set("user", profile.user_name())
        .set("password_reset_required", profile.password_reset_required);
    let draft = cx.resource(LOGIN_PROFILE, user).name(user).part_of("aws_iam_user", user).properties(properties);
    cx.emit(draft).await;
    Ok(())
}
