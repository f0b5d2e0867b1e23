//! The live side of drift: asking a cloud what is really there.
//!
//! [`CloudProvider`] is what the job handlers see. One file per provider connects it ([`aws`]); inside a provider, one small
//! file per resource type is a *reader*. A reader that fails makes its slice (type × region) unreadable and nothing else:
//! the scan goes on, and drift reports nothing of that slice as missing.

pub mod aws;
pub mod error;
pub mod properties;

use drift::live::LiveResource;
use futures::future::BoxFuture;
use jobs::ids::OrgId;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use drift::live::GLOBAL;
pub use error::{CloudError, EnrichError, ErrorClass, OrAbsent, ReadError, ScanError};
pub use properties::Properties;

/// One connected account of one cloud. Cheap to make; nothing is asked before a method is called.
pub trait CloudProvider: Send + Sync {
    /// `aws`.
    fn id(&self) -> &'static str;

    /// The Terraform types that this build can read, sorted. The same list stands in `jobs::providers` (a test says so).
    fn readable_types(&self) -> Vec<&'static str>;

    /// Asks the cloud who these credentials are. The caller compares the account with the claimed one.
    fn validate(&self) -> BoxFuture<'_, Result<Identity, CloudError>>;

    /// The regions that the account can use, sorted.
    fn regions(&self) -> BoxFuture<'_, Result<Vec<String>, CloudError>>;

    /// Starts reading the account. Returns as soon as the regions are known; the resources follow as events.
    /// Cancelling the token (or dropping the [`Discovery`]) stops it.
    fn discover(
        &self,
        request: DiscoverRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Discovery, CloudError>>;

    /// Reads one resource again.
    fn enrich(&self, resource: ResourceKey) -> BoxFuture<'_, Result<LiveResource, EnrichError>>;
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The cloud's account id (AWS: 12 digits).
    pub account_id: String,
    /// The principal's ARN.
    pub arn: String,
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscoverRequest {
    /// Regions by name; empty means all that are enabled. Resources without a region are always read.
    pub regions: Vec<String>,
    /// Terraform types; empty means all that are readable.
    pub provider_types: Vec<String>,
}

/// One resource, for [`CloudProvider::enrich`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceKey {
    /// Terraform's type.
    pub provider_type: String,
    /// The id as [`LiveResource::provider_resource_id`] has it.
    pub provider_resource_id: String,
    /// The region as [`LiveResource`] has it, [`GLOBAL`] included.
    pub region: String,
}

/// A running discovery. Dropping it stops the work.
#[derive(Debug)]
pub struct Discovery {
    /// The account that is really being read.
    pub identity: Identity,
    /// The regions that are being read, sorted.
    pub regions: Vec<String>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) _task: AbortOnDropHandle<()>,
}

impl Discovery {
    /// The next event; `None` once everything was read or given up.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// What a discovery reports while it runs.
#[derive(Debug, Clone)]
pub enum Event {
    /// Some resources, of one reader and region; a few hundred at most.
    Resources(Vec<LiveResource>),
    /// A part that could not be read.
    Failed(ScanError),
    /// How far it is, in slices (reader × region). Sent at the start with `done` 0, then after every slice.
    Progress(Progress),
}

/// How far a discovery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Slices read or given up.
    pub done: usize,
    /// All slices.
    pub total: usize,
}

/// An account's stored credential, as the accounts table keeps it (decrypted), and for whom it may be used.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The organisation that registered it; roles are assumed with its id as external id.
    pub org_id: OrgId,
    /// The cloud's id of the account that it is said to belong to.
    pub account_id: String,
    /// `access_key` or `assume_role`.
    pub credential_type: String,
    /// The JSON text that belongs to the type.
    pub credential_ref: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("credential_type", &self.credential_type).finish_non_exhaustive()
    }
}

/// Connects an account of a provider.
///
/// # Errors
/// [`CloudError::UnknownProvider`], [`CloudError::MalformedCredential`], [`CloudError::ForeignExternalId`] and
/// [`CloudError::AccountMismatch`]; nothing is sent yet.
pub fn connect(
    provider: &str,
    credential: &Credential,
    options: aws::Options,
) -> Result<Box<dyn CloudProvider>, CloudError> {
    match provider {
        "aws" => Ok(Box::new(aws::Aws::connect(credential, options)?)),
        other => Err(CloudError::UnknownProvider(other.to_owned())),
    }
}
