//! Registers a cloud account, if the cloud accepts its credentials.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, priority};
use crate::audit::{Actor, Origin};
use crate::crypto::{Aad, Keyring, OpenError};
use crate::domain::{CredentialType, Provider};
use crate::ids::{CloudAccountId, OrgId};
use crate::retry::Backoff;

/// Tries the credentials of a row of `account_registration` and registers the account. A request waits for it for a while, and
/// whoever polls the registration after that; the outcome says nothing but that the account is there.
///
/// It carries everything but the credential: a payload is read by more people than a secret should, and stays with a dead job.
///
/// Failure classes, most with the `field` to blame in the details: `credential_malformed` and `credential_invalid`
/// (`credential_ref`), `account_mismatch` and `account_exists` (`external_account_id`), `region_unknown` (`default_region`),
/// `provider_unsupported` (`provider`); `plan_limit_exceeded`, with [`Exceeded`](crate::plan::Exceeded) as its details; and
/// `cloud_unreachable` and `no_platform_identity`, which are nobody's field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateAccount {
    /// The organisation.
    pub org_id: OrgId,
    /// The registration, and the id that the account will have; the credential is sealed for it.
    pub account_id: CloudAccountId,
    /// The cloud.
    pub provider: Provider,
    /// The account that the caller says it is.
    pub external_account_id: String,
    /// Name that people see.
    pub display_name: String,
    /// How the credential works.
    pub credential_type: CredentialType,
    /// Where account-wide questions shall be asked; none: the provider's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// Who asked for it, for the audit chain.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

/// A credential as tables `account_registration` and `cloud_account` hold it, so that what was validated is what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCredential(Vec<u8>);

impl SealedCredential {
    /// Seals a credential's text for an account.
    ///
    /// # Errors
    /// See [`Keyring::seal`].
    pub fn seal(keyring: &Keyring, org: OrgId, account: CloudAccountId, text: &str) -> Result<Self, OpenError> {
        keyring.seal(place(org, &account.to_string()), text.as_bytes()).map(Self)
    }

    /// What is stored.
    #[must_use]
    pub const fn from_bytes(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// What to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The credential's text.
    ///
    /// # Errors
    /// When it was sealed for another account, or under a key that is not here.
    pub fn open(&self, keyring: &Keyring, org: OrgId, account: CloudAccountId) -> Result<String, OpenError> {
        let text = keyring.open(place(org, &account.to_string()), &self.0)?;
        String::from_utf8(text).map_err(|_| OpenError::Damaged)
    }
}

/// Where a credential belongs.
fn place(org: OrgId, row: &str) -> Aad<'_> {
    Aad { org: org.uuid(), table: "cloud_account", column: "credential", row }
}

impl Job for ValidateAccount {
    const KIND: &'static str = "validate_account";
    const QUEUE: &'static str = "awaited";
    /// Few and [prompt](Backoff::PROMPT): a person waits. A cloud that refuses connections is told to a request that still waits,
    /// within a second or so; one that does not answer is told within minutes to whoever polls.
    const MAX_ATTEMPTS: i16 = 3;
    /// Longer than a request waits: the job outlives it.
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: Backoff = Backoff::PROMPT;
    const PRIORITY: i16 = priority::AWAITED;
    /// So long a registration can be polled after its end; longer than an `Idempotency-Key` gives out its place.
    const OUTCOME_TTL: Duration = Duration::from_hours(48);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.org_id.uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_credential_tells_no_secret_and_opens_for_its_account_only() {
        let keyring = Keyring::parse(&Keyring::generate(), None).unwrap();
        let (org, account) = (OrgId::new(), CloudAccountId::new());
        let sealed = SealedCredential::seal(&keyring, org, account, "hunter2").unwrap();
        assert!(!sealed.as_bytes().windows(7).any(|window| window == b"hunter2"));
        assert_eq!(sealed.open(&keyring, org, account).unwrap(), "hunter2");
        assert_eq!(sealed.open(&keyring, OrgId::new(), account), Err(OpenError::Refused));
        assert_eq!(sealed.open(&keyring, org, CloudAccountId::new()), Err(OpenError::Refused));
    }
}
