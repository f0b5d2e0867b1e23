//! What the account has once: its alias (Terraform: `aws_iam_account_alias`) and its password policy
//! (`aws_iam_account_password_policy`).

use aws_sdk_iam::types::PasswordPolicy;

use super::ABSENT;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListAccountAliases`.
pub const ALIAS: Reader = Reader {
    service: "iam",
    types: &["aws_iam_account_alias"],
    scope: Scope::Global,
    read: |cx| Box::pin(read_alias(cx)),
};

/// `GetAccountPasswordPolicy`.
pub const PASSWORD_POLICY: Reader = Reader {
    service: "iam",
    types: &["aws_iam_account_password_policy"],
    scope: Scope::Global,
    read: |cx| Box::pin(read_password_policy(cx)),
};

async fn read_alias(cx: Context) -> Result<(), ReadError> {
    let mut aliases = cx.iam().list_account_aliases().into_paginator().items().send();
    while let Some(alias) = aliases.try_next().await? {
        let properties = Properties::new().set("account_alias", &alias);
        cx.emit(cx.resource("aws_iam_account_alias", &alias).name(&alias).properties(properties)).await;
    }
    Ok(())
}

async fn read_password_policy(cx: Context) -> Result<(), ReadError> {
    let answer = cx.iam().get_account_password_policy().send().await.or_absent(ABSENT)?;
    if let Some(policy) = answer.and_then(|answer| answer.password_policy) {
        // Terraform's own id of it, the same in every account.
        let draft = cx.resource("aws_iam_account_password_policy", "iam-account-password-policy");
        cx.emit(draft.properties(password_policy(&policy))).await;
    }
    Ok(())
}

/// What a policy does not limit is 0 in Terraform.
fn password_policy(policy: &PasswordPolicy) -> Properties {
    Properties::new()
        .set("allow_users_to_change_password", policy.allow_users_to_change_password)
        .set("hard_expiry", policy.hard_expiry.unwrap_or_default())
        .set("max_password_age", policy.max_password_age.unwrap_or_default())
        .told("minimum_password_length", policy.minimum_password_length)
        .set("password_reuse_prevention", policy.password_reuse_prevention.unwrap_or_default())
        .set("require_lowercase_characters", policy.require_lowercase_characters)
        .set("require_numbers", policy.require_numbers)
        .set("require_symbols", policy.require_symbols)
        .set("require_uppercase_characters", policy.require_uppercase_characters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_limit_is_zero() {
        let policy = PasswordPolicy::builder().minimum_password_length(14).require_symbols(true).build();
        let written = password_policy(&policy);
        assert_eq!(written.get("max_password_age"), Some(&json!(0)));
        assert_eq!(written.get("minimum_password_length"), Some(&json!(14)));
        assert_eq!(written.get("require_symbols"), Some(&json!(true)));
    }
}
