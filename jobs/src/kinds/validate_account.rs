//! Asks a cloud whose credentials these are.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::crypto::{Aad, Keyring, OpenError};
use crate::domain::{CredentialType, Provider};
use crate::ids::{CloudAccountId, OrgId};
use crate::retry::Backoff;

/// Tries credentials before an account is registered with them. A request waits for it: its outcome is a [`Validated`].
///
/// Failure classes, each with the `field` to blame in the details: `credential_malformed` and `credential_invalid`
/// (`credential_ref`), `account_mismatch` (`external_account_id`), `region_unknown` (`default_region`),
/// `provider_unsupported` (`provider`); and `cloud_unreachable` and `no_platform_identity`, which are nobody's field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateAccount {
    /// The organisation.
    pub org_id: OrgId,
    /// The id that the account will have; the credential is sealed for it.
    pub account_id: CloudAccountId,
    /// The cloud.
    pub provider: Provider,
    /// The account that the caller says it is.
    pub external_account_id: String,
    /// How the credential works.
    pub credential_type: CredentialType,
    /// The credential, sealed ([`SealedCredential::seal`]): a queue's payload is read by more people than a secret should.
    pub credential: SealedCredential,
    /// Where account-wide questions shall be asked; none: the provider's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
}

/// A credential as table `cloud_account` holds it, so that what was validated is what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedCredential(String);

impl SealedCredential {
    /// Seals a credential's text for an account.
    ///
    /// # Errors
    /// See [`Keyring::seal`].
    pub fn seal(keyring: &Keyring, org: OrgId, account: CloudAccountId, text: &str) -> Result<Self, OpenError> {
        let sealed = keyring.seal(place(org, &account.to_string()), text.as_bytes())?;
        Ok(Self::from_bytes(&sealed))
    }

    /// What is stored of an account.
    #[must_use]
    pub fn from_bytes(sealed: &[u8]) -> Self {
        Self(hex::encode(sealed))
    }

    /// What [`crate::db::cloud_account::insert`] stores.
    ///
    /// # Errors
    /// When it was cut or changed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OpenError> {
        hex::decode(&self.0).map_err(|_| OpenError::Damaged)
    }

    /// The credential's text.
    ///
    /// # Errors
    /// When it was sealed for another account, or under a key that is not here.
    pub fn open(&self, keyring: &Keyring, org: OrgId, account: CloudAccountId) -> Result<String, OpenError> {
        let text = keyring.open(place(org, &account.to_string()), &self.to_bytes()?)?;
        String::from_utf8(text).map_err(|_| OpenError::Damaged)
    }
}

/// Where a credential belongs.
fn place(org: OrgId, row: &str) -> Aad<'_> {
    Aad { org: org.uuid(), table: "cloud_account", column: "credential", row }
}

/// What the cloud said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validated {
    /// The cloud's id of the account, equal to the claimed one.
    pub external_account_id: String,
    /// The principal that the credentials belong to.
    pub principal: String,
    /// Where account-wide questions are asked from now on.
    pub default_region: String,
    /// The regions that the account can use.
    pub regions: Vec<String>,
}

impl Job for ValidateAccount {
    const KIND: &'static str = "validate_account";
    const QUEUE: &'static str = "awaited";
    const MAX_ATTEMPTS: i16 = 2;
    /// A request waits 25 s.
    const TIMEOUT: Duration = Duration::from_secs(20);
    const BACKOFF: Backoff = Backoff::PROMPT;
    const PRIORITY: i16 = priority::AWAITED;
    const OUTCOME_TTL: Duration = Duration::from_mins(5);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_tells_no_secret_and_opens_for_its_account_only() {
        let keyring = Keyring::parse(&Keyring::generate(), None).unwrap();
        let (org, account) = (OrgId::new(), CloudAccountId::new());
        let sealed = SealedCredential::seal(&keyring, org, account, "hunter2").unwrap();
        assert!(!serde_json::to_string(&sealed).unwrap().contains(&hex::encode("hunter2")));
        assert_eq!(sealed.open(&keyring, org, account).unwrap(), "hunter2");
        assert_eq!(sealed.open(&keyring, OrgId::new(), account), Err(OpenError::Refused));
        assert_eq!(sealed.open(&keyring, org, CloudAccountId::new()), Err(OpenError::Refused));
    }
}
