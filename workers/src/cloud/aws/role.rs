//! Assuming a customer's role with the identity of this installation.
//!
//! The external id is always the organisation's id, whatever the credential says: customers' trust policies require it, so
//! nobody can register another customer's role and read it through us (AWS IAM User Guide, "The confused deputy problem").

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, SharedCredentialsProvider, future};
use aws_smithy_types::error::display::DisplayErrorContext;
use jobs::ids::OrgId;
use serde::Deserialize;

use super::client::{self, Options};
use crate::cloud::{CloudError, Credential};

/// The text of an `assume_role` credential.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssumeRole {
    role_arn: String,
    external_id: Option<String>,
}

impl AssumeRole {
    /// What the text should look like.
    pub(super) const SHAPE: &str = r#"{"role_arn"}"#;

    /// The role, if it is of the credential's account and no other external id is asked for than the organisation's.
    pub(super) fn check(self, credential: &Credential) -> Result<Role, CloudError> {
        let account = account_of(&self.role_arn).ok_or_else(|| CloudError::MalformedCredential {
            expected: Self::SHAPE,
            reason: "role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/plumbline-reader"
                .to_owned(),
        })?;
        if account != credential.account_id {
            return Err(CloudError::AccountMismatch {
                actual: account.to_owned(),
                claimed: credential.account_id.clone(),
            });
        }
        let org_id = credential.org_id;
        if self.external_id.is_some_and(|asked| asked != org_id.to_string()) {
            return Err(CloudError::ForeignExternalId(org_id));
        }
        Ok(Role { arn: self.role_arn, org_id })
    }
}

/// The account of a role's ARN (IAM User Guide, "IAM ARNs").
fn account_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return None };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_role =
        resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    (partition.starts_with("aws") && is_account && is_role).then_some(account)
}

/// A role that may be assumed for an organisation.
pub(super) struct Role {
    arn: String,
    org_id: OrgId,
}

impl Role {
    /// The role's credentials, got anew whenever they have run out.
    pub(super) async fn provider(&self, config: &SdkConfig) -> AssumeRoleProvider {
        AssumeRoleProvider::builder(&self.arn)
            .session_name("plumbline")
            .external_id(self.org_id.to_string())
            .configure(config)
            .build_from_provider(OwnIdentity(config.credentials_provider()))
            .await
    }
}

/// This installation has no AWS identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this installation has no AWS identity of its own, without which no role can be assumed: give its workers \
     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, a web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE), \
     or the role of a container or an instance"
)]
pub struct NoPlatformIdentity;

/// The SDK's own chain; where it gives nothing, [`NoPlatformIdentity`], and the chain's reasons in the log alone.
#[derive(Debug)]
struct OwnIdentity(Option<SharedCredentialsProvider>);

impl OwnIdentity {
    async fn get(&self) -> Provided {
        let absent = || CredentialsError::not_loaded(NoPlatformIdentity);
        let provider = self.0.as_ref().ok_or_else(absent)?;
        provider.provide_credentials().await.map_err(|error| {
            tracing::warn!(error = %DisplayErrorContext(&error), "no aws identity of our own");
            absent()
        })
    }
}

impl ProvideCredentials for OwnIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

/// Whether this process has an identity that could assume roles; nothing is sent to STS.
///
/// # Errors
/// [`NoPlatformIdentity`] where it has none.
pub async fn check_own_identity(options: &Options) -> Result<(), NoPlatformIdentity> {
    let config = client::own_config(options, client::USUAL_REGION).await;
    OwnIdentity(config.credentials_provider()).get().await.map(|_| ()).map_err(|_| NoPlatformIdentity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_role_is_one() {
        assert_eq!(account_of("arn:aws:iam::123456789012:role/reader"), Some("123456789012"));
        assert_eq!(account_of("arn:aws-us-gov:iam::123456789012:role/path/to/reader"), Some("123456789012"));
        for bad in [
            "",
            "reader",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:user/reader",
            "arn:aws:iam::12345:role/reader",
            "arn:aws:sts::123456789012:assumed-role/reader/s",
            "arn:aws:iam:us-east-1:123456789012:role/reader",
            "123456789012",
        ] {
            assert_eq!(account_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_other_external_id_than_the_organisation_s_is_taken() {
        let org_id = OrgId::new();
        let check = |external_id: Option<&str>, account: &str| {
            let credential = Credential {
                org_id,
                account_id: account.to_owned(),
                credential_type: "assume_role".to_owned(),
                credential_ref: String::new(),
            };
            let role_arn = "arn:aws:iam::123456789012:role/reader".to_owned();
            AssumeRole { role_arn, external_id: external_id.map(str::to_owned) }
                .check(&credential)
                .map(|role| role.org_id)
        };
        assert_eq!(check(None, "123456789012"), Ok(org_id));
        assert_eq!(check(Some(&org_id.to_string()), "123456789012"), Ok(org_id));
        for foreign in [OrgId::new().to_string(), String::new()] {
            let error = check(Some(&foreign), "123456789012").unwrap_err();
            assert_eq!(error, CloudError::ForeignExternalId(org_id));
            assert!(error.to_string().contains(&org_id.to_string()), "{error}");
        }
        let mismatch = check(None, "210987654321").unwrap_err();
        assert!(matches!(mismatch, CloudError::AccountMismatch { .. }), "{mismatch}");
    }
}
