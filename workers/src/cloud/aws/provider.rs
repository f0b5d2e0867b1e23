//! [`CloudProvider`] for AWS.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use drift::live::LiveResource;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::client::{Connector, Options};
use super::engine::{self, Slice};
use super::reader::{Account, Reader, Scope};
use super::readers;
use crate::cloud::{
    CloudError, CloudProvider, Credential, DiscoverRequest, Discovery, EnrichError, ErrorClass, Event, GLOBAL,
    Identity, ReadError, ResourceKey,
};

/// Calls of all `for_each` of one account that run at the same time.
const FAN_OUT: usize = 32;
/// Events that may wait for whoever listens.
const EVENTS: usize = 64;

/// One AWS account.
pub struct Aws {
    connector: Connector,
    identity: OnceCell<Identity>,
}

impl Aws {
    /// An account by its stored credential. Nothing is sent yet.
    ///
    /// # Errors
    /// [`CloudError::MalformedCredential`], and for roles [`CloudError::ForeignExternalId`] and
    /// [`CloudError::AccountMismatch`].
    pub fn connect(credential: &Credential, options: Options) -> Result<Self, CloudError> {
        Ok(Self { connector: Connector::new(credential, options)?, identity: OnceCell::new() })
    }

    async fn identity(&self) -> Result<&Identity, CloudError> {
        self.identity.get_or_try_init(|| self.ask_identity()).await
    }

    async fn ask_identity(&self) -> Result<Identity, CloudError> {
        let clients = self.connector.pool().await.region(self.connector.home_region());
        let caller = clients.sts().get_caller_identity().send().await.map_err(ReadError::from)?;
        match (caller.account, caller.arn) {
            (Some(account_id), Some(arn)) => Ok(Identity { account_id, arn }),
            _ => Err(ReadError::incomplete("GetCallerIdentity", "the account or the ARN").into()),
        }
    }

    async fn ask_regions(&self) -> Result<Vec<String>, ReadError> {
        let clients = self.connector.pool().await.region(self.connector.home_region());
        // Without AllRegions the answer holds only regions that the account can use.
        let answer = clients.ec2().describe_regions().send().await?;
        let mut names: Vec<String> =
            answer.regions.unwrap_or_default().into_iter().filter_map(|region| region.region_name).collect();
        names.sort();
        Ok(names)
    }

    /// The regions to read: those asked for, checked, or all.
    async fn choose_regions(&self, asked: &[String]) -> Result<Vec<String>, CloudError> {
        let known = match self.ask_regions().await {
            Ok(known) => known,
            // Whoever may not list regions can still name them; each then answers for itself.
            Err(error) if error.class == ErrorClass::AccessDenied && !asked.is_empty() => asked.to_vec(),
            Err(error) => return Err(error.into()),
        };
        if asked.is_empty() {
            return Ok(known);
        }
        let asked: BTreeSet<&String> = asked.iter().collect();
        let unknown: Vec<String> =
            asked.iter().filter(|region| !known.contains(**region)).map(|region| (*region).clone()).collect();
        if unknown.is_empty() {
            Ok(asked.into_iter().cloned().collect())
        } else {
            Err(CloudError::UnknownRegions { unknown, known })
        }
    }

    async fn account(
        &self,
        regions: Vec<String>,
        wanted: HashSet<String>,
    ) -> Result<(Arc<Account>, String), CloudError> {
        let identity = self.identity().await?;
        let partition = partition_of(&identity.arn).to_owned();
        let home = main_region(&partition).to_owned();
        let account = Account {
            account_id: identity.account_id.clone(),
            partition,
            clients: self.connector.pool().await,
            regions,
            wanted,
            fan_out: Semaphore::new(FAN_OUT),
        };
        Ok((Arc::new(account), home))
    }

    async fn start(&self, request: DiscoverRequest, cancel: CancellationToken) -> Result<Discovery, CloudError> {
        let wanted: HashSet<String> = request.provider_types.into_iter().collect();
        check_types(&wanted)?;
        let identity = self.identity().await?.clone();
        let regions = self.choose_regions(&request.regions).await?;
        let chosen =
            readers().filter(|reader| wanted.is_empty() || reader.types.iter().any(|name| wanted.contains(*name)));
        let slices = engine::plan(chosen, &regions);
        let (account, home) = self.account(regions.clone(), wanted).await?;
        let (sender, events) = mpsc::channel(EVENTS);
        let task = tokio::spawn(engine::run(account, home, slices, sender, cancel));
        Ok(Discovery { identity, regions, events, _task: AbortOnDropHandle::new(task) })
    }

    async fn read_again(&self, key: ResourceKey) -> Result<LiveResource, EnrichError> {
        let global = key.region == GLOBAL;
        let candidates = readers().filter(|reader| {
            reader.types.contains(&key.provider_type.as_str()) && (!global || reader.scope == Scope::Global)
        });
        let wanted = HashSet::from([key.provider_type.clone()]);
        let regions = if global { Vec::new() } else { vec![key.region.clone()] };
        let mut failure = None;
        let mut tried = false;
        for reader in candidates {
            tried = true;
            let (account, home) = self.account(regions.clone(), wanted.clone()).await?;
            match find(&account, &home, reader, &key).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) => Err(error.into()),
            None if tried => Err(EnrichError::NotFound {
                provider_type: key.provider_type,
                id: key.provider_resource_id,
                region: key.region,
            }),
            None => Err(EnrichError::UnknownType(key.provider_type)),
        }
    }
}

/// Reads the slice that the resource belongs to and picks it.
async fn find(
    account: &Arc<Account>,
    home: &str,
    reader: &'static Reader,
    key: &ResourceKey,
) -> Result<Option<LiveResource>, ReadError> {
    let region = match reader.scope {
        Scope::Global => GLOBAL.into(),
        Scope::Regional => key.region.as_str().into(),
    };
    let slice = Slice { reader, region };
    let (sender, mut events) = mpsc::channel(EVENTS);
    let mut cx = engine::context(account, &slice, home, sender);
    cx.only = Some(key.provider_resource_id.as_str().into());
    let reading = AbortOnDropHandle::new(tokio::spawn(engine::run_reader(reader, cx)));
    // The reader's task holds the only senders: when it ends, so does this loop.
    while let Some(event) = events.recv().await {
        let Event::Resources(batch) = event else { continue };
        let is_it = |found: &LiveResource| {
            found.provider_type == key.provider_type && found.provider_resource_id == key.provider_resource_id
        };
        if let Some(found) = batch.into_iter().find(is_it) {
            return Ok(Some(found));
        }
    }
    let failed = reading.await.unwrap_or_else(|_| vec![engine::panicked(reader)]);
    match failed.into_iter().find(|(types, _)| types.contains(&key.provider_type.as_str())) {
        Some((_, error)) => Err(error),
        None => Ok(None),
    }
}

fn check_types(wanted: &HashSet<String>) -> Result<(), CloudError> {
    let known: HashSet<&str> = readers().flat_map(|reader| reader.types).copied().collect();
    let mut unknown: Vec<String> = wanted.iter().filter(|name| !known.contains(name.as_str())).cloned().collect();
    unknown.sort();
    if unknown.is_empty() { Ok(()) } else { Err(CloudError::UnknownTypes(unknown)) }
}

/// `aws-cn` out of `arn:aws-cn:sts::…`.
fn partition_of(arn: &str) -> &str {
    arn.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws")
}

/// The region whose endpoints serve a partition's global services.
/// Source: AWS General Reference, "Service endpoints", IAM's signing regions.
fn main_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

impl CloudProvider for Aws {
    fn id(&self) -> &'static str {
        "aws"
    }

    fn readable_types(&self) -> Vec<&'static str> {
        super::readable_types()
    }

    fn validate(&self) -> BoxFuture<'_, Result<Identity, CloudError>> {
        async { self.identity().await.cloned() }.boxed()
    }

    fn regions(&self) -> BoxFuture<'_, Result<Vec<String>, CloudError>> {
        async { Ok(self.ask_regions().await?) }.boxed()
    }

    fn discover(
        &self,
        request: DiscoverRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Discovery, CloudError>> {
        self.start(request, cancel).boxed()
    }

    fn enrich(&self, resource: ResourceKey) -> BoxFuture<'_, Result<LiveResource, EnrichError>> {
        self.read_again(resource).boxed()
    }
}
