//! How AWS readers are written, and what they get.
//!
//! A reader is one small file `<service>/<thing>.rs` that lists things of one kind in one region and emits each as the
//! Terraform resource(s) it stands for. The next one looks like this:
//!
//! ```ignore
//! //! Internet gateways. Terraform: `aws_internet_gateway`.
//!
//! pub const READER: Reader = Reader {
//!     service: "ec2",
//!     types: &["aws_internet_gateway"],
//!     scope: Scope::Regional,
//!     read: |cx| Box::pin(read(cx)),
//! };
//!
//! async fn read(cx: Context) -> Result<(), ReadError> {
//!     let mut pages = cx.ec2().describe_internet_gateways().into_paginator().items().send();
//!     while let Some(gateway) = pages.try_next().await? {
//!         let Some(id) = gateway.internet_gateway_id() else { continue };
//!         let properties = Properties::new()
//!             .set("arn", cx.arn("ec2", format!("internet-gateway/{id}")))
//!             .set("owner_id", gateway.owner_id())
//!             .set("vpc_id", gateway.attachments().first().and_then(|a| a.vpc_id()))
//!             .tags(tags(gateway.tags()));
//!         cx.emit(cx.resource("aws_internet_gateway", id).properties(properties)).await;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! and is listed in `<service>/mod.rs`: `pub const READERS: &[Reader] = &[internet_gateway::READER, …];`.
//!
//! Rules:
//! - Any SDK call may be followed by `?`: the slice (this reader in this region) becomes unreadable, nothing else.
//! - A call that fails for *some* of the reader's types, or for one resource of many: [`Context::unreadable`] with those
//!   types, and go on. (Name them in a `const TYPES`; an async function that mentions `READER` itself does not compile, for its
//!   future would have to know itself.)
//! - "There is none" answers (`NoSuchBucketPolicy`) are not errors: [`OrAbsent`](crate::cloud::OrAbsent).
//! - One call per resource: [`Context::for_each`], which bounds what is in flight; [`Context::for_each_allowed`] where a resource's own
//!   policy may refuse.
//! - Retries, throttling, timeouts, regions and cancelling are the engine's business, not the reader's.
//! - What the cloud itself made carries [`Draft::managed_by`] (why, in a few words); what Terraform knows as a part of
//!   another resource (rules, routes, root volumes) carries [`Draft::part_of`].
//! - Which id and which attributes drift needs to match a type, and how a child is told: the docs of [`drift::live`].

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use drift::live::LiveResource;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use super::client::{ClientPool, Clients};
use crate::cloud::{ErrorClass, Event, GLOBAL, Properties, ReadError};

/// Resources sent on in one event.
const BATCH: usize = 200;
/// Calls of one [`Context::for_each`] that run at the same time.
const FAN_OUT: usize = 8;

/// Where a reader's things live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In each region of its own.
    Regional,
    /// Once per account; asked at the partition's main region, emitted with the region `global`.
    Global,
}

/// A table entry: what is read, and how.
#[derive(Clone, Copy)]
pub struct Reader {
    /// The service as IAM and ARNs call it: the name in scan errors and in concurrency limits.
    pub service: &'static str,
    /// All Terraform types that it may emit.
    pub types: &'static [&'static str],
    /// Where its things live.
    pub scope: Scope,
    /// Lists and emits. Write `|cx| Box::pin(read(cx))` with an `async fn read(cx: Context) -> Result<(), ReadError>`.
    pub read: fn(Context) -> BoxFuture<'static, Result<(), ReadError>>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("service", &self.service).field("types", &self.types).finish_non_exhaustive()
    }
}

/// What is the same for all slices of one scan.
#[derive(Debug)]
pub(super) struct Account {
    pub account_id: String,
    pub partition: String,
    pub clients: ClientPool,
    /// The regions of this scan.
    pub regions: Vec<String>,
    /// Terraform types to emit; empty means all.
    pub wanted: HashSet<String>,
    /// Calls of all `for_each` together.
    pub fan_out: Semaphore,
}

/// What a reader gets: the account, a region, clients, and where its findings go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) account: Arc<Account>,
    pub(super) clients: Arc<Clients>,
    /// What is written as the resources' region.
    pub(super) region: Arc<str>,
    pub(super) only: Option<Arc<str>>,
    /// The reader's types.
    pub(super) types: &'static [&'static str],
    pub(super) sink: Arc<Sink>,
}

macro_rules! clients {
    ($($name:ident: $krate:ident, $service:literal;)+) => {
        /// Clients, one for each service, made at first use and shared by all readers of the region.
        impl Context {
            $(
                #[doc = concat!("The client of ", $service, " in this region.")]
                #[must_use]
                pub fn $name(&self) -> &$krate::Client {
                    self.clients.$name()
                }
            )+
        }
    };
}

clients! {
    cloudwatch: aws_sdk_cloudwatch, "CloudWatch";
    cloudwatchlogs: aws_sdk_cloudwatchlogs, "CloudWatch Logs";
    dynamodb: aws_sdk_dynamodb, "DynamoDB";
    ec2: aws_sdk_ec2, "EC2";
    iam: aws_sdk_iam, "IAM";
    kms: aws_sdk_kms, "KMS";
    lambda: aws_sdk_lambda, "Lambda";
    rds: aws_sdk_rds, "RDS";
    route53: aws_sdk_route53, "Route 53";
    s3: aws_sdk_s3, "S3";
    secretsmanager: aws_sdk_secretsmanager, "Secrets Manager";
    sns: aws_sdk_sns, "SNS";
    sqs: aws_sdk_sqs, "SQS";
}

impl Context {
    /// The account's id, 12 digits.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.account.account_id
    }

    /// `aws`, `aws-cn` or `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.account.partition
    }

    /// The region that is read; for a global reader [`GLOBAL`].
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The regions of this scan, for readers whose one listing spans them all (S3 buckets).
    #[must_use]
    pub fn regions(&self) -> &[String] {
        &self.account.regions
    }

    /// The same slice with another region's clients; resources made by the result carry that region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self { clients: self.account.clients.region(region), region: region.into(), ..self.clone() }
    }

    /// When one resource is read again ([`enrich`](crate::cloud::CloudProvider::enrich)): its id. A reader may narrow its
    /// listing by it; it need not, since others are dropped anyway.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        self.only.as_deref()
    }

    /// Whether this scan wants the type: worth asking before calls that are made for that type alone.
    #[must_use]
    pub fn wants(&self, provider_type: &str) -> bool {
        self.account.wanted.is_empty() || self.account.wanted.contains(provider_type)
    }

    /// `arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1` from `("ec2", "vpc/vpc-1")`; without a region for a global reader.
    #[must_use]
    pub fn arn(&self, service: &str, resource: impl Display) -> String {
        let region = if self.region() == GLOBAL { "" } else { self.region() };
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition(), self.account_id())
    }

    /// A resource found in this region.
    pub fn resource(&self, provider_type: &'static str, id: impl Into<String>) -> Draft {
        Draft(LiveResource {
            provider_type: provider_type.to_owned(),
            provider_resource_id: id.into(),
            arn: None,
            name: None,
            region: self.region().to_owned(),
            properties: serde_json::Map::new(),
            managed_by: None,
            part_of: None,
        })
    }

    /// Hands a finding on. Waits when whoever listens is slower than the cloud.
    pub async fn emit(&self, draft: Draft) {
        if self.wants(&draft.0.provider_type) {
            self.sink.push(draft.0).await;
        }
    }

    /// Says that these of the reader's types could not be read (at least in part) in this region, without ending the reader.
    pub fn unreadable(&self, types: &[&'static str], error: ReadError) {
        self.sink.fail(types, error);
    }

    /// Runs `call` for each item, a few at a time, within the scan's limit of calls in flight.
    ///
    /// # Errors
    /// The first error; the rest is then not run. Catch inside `call` what concerns one item only.
    pub async fn for_each<T, F, Fut>(&self, items: impl IntoIterator<Item = T>, call: F) -> Result<(), ReadError>
    where
        F: Fn(Self, T) -> Fut,
        Fut: Future<Output = Result<(), ReadError>>,
    {
        stream::iter(items)
            .map(|item| {
                let run = call(self.clone(), item);
                async {
                    // The semaphore is never closed; were it, running unbounded is better than not reading.
                    let _permit = self.account.fan_out.acquire().await.ok();
                    run.await
                }
            })
            .buffer_unordered(FAN_OUT)
            .try_collect()
            .await
    }

    /// Like [`for_each`](Self::for_each), for things whose own policies may keep us out: such a refusal makes the reader's types
    /// [unreadable](Self::unreadable), and the other things are read.
    ///
    /// # Errors
    /// The first error that is no refusal; the rest is then not run.
    pub async fn for_each_allowed<T, F, Fut>(
        &self,
        items: impl IntoIterator<Item = T>,
        call: F,
    ) -> Result<(), ReadError>
    where
        F: Fn(Self, T) -> Fut,
        Fut: Future<Output = Result<(), ReadError>>,
    {
        self.for_each(items, |cx, item| {
            let run = call(cx.clone(), item);
            async move {
                match run.await {
                    Err(error) if error.class == ErrorClass::AccessDenied => {
                        cx.unreadable(cx.types, error);
                        Ok(())
                    }
                    other => other,
                }
            }
        })
        .await
    }
}

/// A resource being described; made by [`Context::resource`].
#[derive(Debug, Clone)]
#[must_use = "a draft is nothing until it is emitted"]
pub struct Draft(LiveResource);

impl Draft {
    /// Its attributes. An attribute `arn` is also taken as the resource's ARN, a tag `Name` (or else an attribute `name`) as
    /// its name, unless these are set already.
    pub fn properties(mut self, properties: Properties) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(ToOwned::to_owned);
        if self.0.arn.is_none() {
            self.0.arn = text(properties.get("arn"));
        }
        if self.0.name.is_none() {
            self.0.name =
                text(properties.get("tags").and_then(|tags| tags.get("Name"))).or_else(|| text(properties.get("name")));
        }
        self.0.properties = properties.into_map();
        self
    }

    /// Its ARN, if it is no attribute.
    pub fn arn(mut self, arn: impl Into<String>) -> Self {
        self.0.arn = Some(arn.into());
        self
    }

    /// What people call it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Where it really is, when that is not the region read.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.0.region = region.into();
        self
    }

    /// Made by the cloud, not by people: why, such as `default VPC` or `root volume of i-1`. Not reported as extra.
    pub fn managed_by(mut self, why: impl Into<String>) -> Self {
        self.0.managed_by = Some(why.into());
        self
    }

    /// The resource that this one is a part of, as Terraform splits them; kept as `aws_iam_role.app`.
    pub fn part_of(mut self, provider_type: &str, id: impl Display) -> Self {
        self.0.part_of = Some(format!("{provider_type}.{id}"));
        self
    }
}

/// Where a slice's findings and partial failures go.
#[derive(Debug)]
pub(super) struct Sink {
    events: mpsc::Sender<Event>,
    pending: Mutex<Vec<LiveResource>>,
    failed: Mutex<Vec<Failed>>,
}

/// Types of a slice that could not be read, and why.
pub(super) type Failed = (Vec<&'static str>, ReadError);

impl Sink {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, pending: Mutex::default(), failed: Mutex::default() }
    }

    async fn push(&self, resource: LiveResource) {
        let full = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.push(resource);
            (pending.len() >= BATCH).then(|| std::mem::take(&mut *pending))
        };
        if let Some(batch) = full {
            self.send(batch).await;
        }
    }

    fn fail(&self, types: &[&'static str], error: ReadError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |(known, other): &Failed| known == types && other.code == error.code && other.operation == error.operation;
        if !failed.iter().any(same) {
            failed.push((types.to_vec(), error));
        }
    }

    /// Sends what is left and gives the partial failures.
    pub(super) async fn finish(&self) -> Vec<Failed> {
        let rest = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.send(rest).await;
        }
        std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn send(&self, batch: Vec<LiveResource>) {
        // Nobody listens any more only when the discovery was dropped, which ends this task as well.
        let _ = self.events.send(Event::Resources(batch)).await;
    }
}
