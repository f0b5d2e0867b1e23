//! What handlers need besides the database: the keys to secrets, the artifact store, the way to the clouds, the rules.

use std::sync::Arc;

use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use jobs::artifacts::Store;
use jobs::crypto::{Aad, Keyring};
use jobs::db::cloud_account::{self, CloudAccount};
use jobs::db::drift_key;
use jobs::ids::{CloudAccountId, OrgId};
use jobs::kinds::validate_account::SealedCredential;
use jobs::queue::JobError;
use sqlx::PgConnection;

use crate::cloud::{self, CloudError, CloudProvider, Credential, aws};
use crate::handlers::deliver_webhook::Courier;
use crate::outbound::webhook::WebhookClient;

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// Opens what is sealed.
    pub keyring: Keyring,
    /// Where uploaded states are.
    pub artifacts: Store,
    /// How to reach AWS.
    pub cloud: aws::Options,
    /// The shipped rules for noise and risk.
    pub policy: Arc<Policy>,
    /// Posts webhooks.
    pub courier: Courier,
}

/// The shipped rules are broken; a build whose tests passed has none such.
#[derive(Debug, thiserror::Error)]
#[error("the shipped drift rules cannot be used: {0}")]
pub struct RulesError(String);

/// An account, ready to be asked.
pub struct Connected {
    /// Its row.
    pub account: CloudAccount,
    /// Its opened credential.
    pub credential: Credential,
    /// Its cloud.
    pub provider: Box<dyn CloudProvider>,
    /// How it is reached.
    pub options: aws::Options,
}

impl Services {
    /// Services over a keyring, a store and a client for webhooks; the way to AWS is the environment's.
    ///
    /// # Errors
    /// [`RulesError`], never in a build whose tests passed.
    pub fn new(keyring: Keyring, artifacts: Store, webhooks: WebhookClient) -> Result<Self, RulesError> {
        let catalogue = Catalogue::load().map_err(|error| RulesError(error.to_string()))?;
        let policy = Policy::new(&catalogue, &OrgRules::default()).map_err(|error| RulesError(error.to_string()))?;
        let courier = Courier::new(webhooks);
        Ok(Self { keyring, artifacts, cloud: aws::Options::from_env(), policy: Arc::new(policy), courier })
    }

    /// The way to AWS for an account that works in this region: account-wide questions are asked in its partition.
    #[must_use]
    pub fn options_for(&self, region: &str) -> aws::Options {
        let home = match region.split('-').next() {
            Some("cn") => Some("cn-north-1"),
            Some("us") if region.starts_with("us-gov-") => Some("us-gov-west-1"),
            _ => None,
        };
        aws::Options { default_region: home.map(str::to_owned), ..self.cloud.clone() }
    }

    /// Opens an account's credential and makes its cloud's client; nothing is sent yet.
    ///
    /// # Errors
    /// `not_found` without such an account, `credential_unreadable` where it does not open, `credential_malformed`
    /// where it is not what its type says or asks for another external id than the organisation's, `account_mismatch`
    /// where its role is of another account.
    pub async fn connect(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        id: CloudAccountId,
    ) -> Result<Connected, JobError> {
        let absent = || JobError::fail("not_found", format!("no cloud account {id}; it may have been deleted"));
        let account = cloud_account::get(conn, org, id).await?.ok_or_else(absent)?;
        let sealed = cloud_account::credential(conn, org, id).await?.ok_or_else(absent)?;
        let text = SealedCredential::from_bytes(sealed).open(&self.keyring, org, id).map_err(|error| {
            JobError::fail("credential_unreadable", format!("the credential of account {id} cannot be opened: {error}"))
        })?;
        let credential = Credential {
            org_id: org,
            account_id: account.external_account_id.clone(),
            credential_type: account.credential_type.as_str().to_owned(),
            credential_ref: text,
        };
        let options = self.options_for(&account.default_region);
        let provider = cloud::connect(account.provider.as_str(), &credential, options.clone())
            .map_err(|error| JobError::fail(unusable(&error), format!("account {id}: {error}")))?;
        Ok(Connected { account, credential, provider, options })
    }

    /// The key under which an organisation's declared secrets are hashed; made at first use.
    ///
    /// # Errors
    /// `key_unreadable` where it was sealed under a master key that is not here.
    pub async fn drift_key(&self, conn: &mut PgConnection, org: OrgId) -> Result<SensitiveKey, JobError> {
        let unreadable =
            |error| JobError::fail("key_unreadable", format!("the drift key of organisation {org}: {error}"));
        let row = org.to_string();
        let place = Aad { org: org.uuid(), table: "drift_key", column: "key", row: &row };
        let candidate = self.keyring.seal(place, &rand::random::<[u8; 32]>()).map_err(unreadable)?;
        let sealed = drift_key::get_or_insert(conn, org, &candidate).await?;
        let key = self.keyring.open(place, &sealed).map_err(unreadable)?;
        let key = key.try_into().map_err(|_| unreadable(jobs::crypto::OpenError::Damaged))?;
        Ok(SensitiveKey::new(key))
    }
}

/// The class of a credential with which no client can be made.
fn unusable(error: &CloudError) -> &'static str {
    match error {
        CloudError::AccountMismatch { .. } => "account_mismatch",
        _ => "credential_malformed",
    }
}
