//! AWS, through the official SDK.
//!
//! - [`reader`]: how a reader is written; `<service>/<thing>.rs` are the readers.
//! - [`client`]: credentials and clients.
//! - `engine`: runs readers over regions, bounded, isolated and cancellable.
//! - `provider`: the [`CloudProvider`](super::CloudProvider) that the job handlers see.
//! - `patience`, `reach`: how long to go on asking; giving up quickly on a region that does not answer.

pub mod client;
pub mod reader;

mod engine;
mod patience;
mod provider;
mod reach;
mod role;

pub mod cloudwatch;
pub mod dynamodb;
pub mod ec2;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod object;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod secretsmanager;
pub mod sns;
pub mod sqs;

pub use client::{AccessKey, Options};
pub use provider::Aws;
use reader::Reader;
pub use role::{NoPlatformIdentity, check_own_identity};

/// All readers by service. What is listed here is what this build can read.
const SERVICES: &[&[Reader]] = &[
    ec2::READERS,
    s3::READERS,
    iam::READERS,
    sqs::READERS,
    sns::READERS,
    dynamodb::READERS,
    kms::READERS,
    logs::READERS,
    lambda::READERS,
    rds::READERS,
    secretsmanager::READERS,
    cloudwatch::READERS,
    route53::READERS,
];

/// All readers.
pub fn readers() -> impl Iterator<Item = &'static Reader> {
    SERVICES.iter().copied().flatten()
}

/// The Terraform types of all readers, sorted.
#[must_use]
pub fn readable_types() -> Vec<&'static str> {
    let mut types: Vec<_> = readers().flat_map(|reader| reader.types).copied().collect();
    types.sort_unstable();
    types.dedup();
    types
}
