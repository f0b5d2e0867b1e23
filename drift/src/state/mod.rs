//! Reading Terraform and `OpenTofu` state, format version 4.
//!
//! Streaming: resources go to the sink one after another while the file is read, and what is not needed (`dependencies`, most of a
//! big state) is skipped without being kept. A resource that makes no sense is counted with its address and the rest goes on; what is no
//! state at all is refused with the reason that a person needs.
//!
//! Source of the format: `internal/states/statefile/version4.go` of hashicorp/terraform and of opentofu/opentofu, and `OpenTofu`'s
//! `internal/encryption` for encrypted states.

mod address;
mod attributes;
mod document;
mod source;

use std::io::{BufReader, Read};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

pub use crate::declared::{DeclaredResource, Status};
use crate::sensitive::SensitiveKey;
use document::Context;
use source::{Source, Start};

/// How much is read before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a state.
    pub max_bytes: u64,
    /// Managed objects in a state.
    pub max_resources: u64,
    /// Failures listed in the summary; all are counted.
    pub max_listed_failures: usize,
}

impl Default for Limits {
    /// 256 MiB, a million objects, a hundred failures.
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_resources: 1_000_000, max_listed_failures: 100 }
    }
}

/// What a state says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSummary {
    /// Always 4.
    pub format_version: u64,
    /// Version of the Terraform or `OpenTofu` that wrote it.
    pub terraform_version: Option<String>,
    /// Counts the state's changes.
    pub serial: Option<u64>,
    /// Stays the same over a state's life.
    pub lineage: Option<String>,
    /// Managed objects that were read, with deposed ones.
    pub resource_count: u64,
    /// Instances of data sources.
    pub data_count: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
    /// Number of bytes.
    pub bytes: u64,
    /// Objects that could not be read.
    pub parse_failure_count: u64,
    /// The first of them.
    pub parse_failures: Vec<ParseFailure>,
}

/// An object that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseFailure {
    /// Its address as far as it is known, otherwise its place in the file.
    pub address: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a state was refused. What the sink got until then is to be thrown away.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No bytes.
    #[error("the state is empty: it has no bytes")]
    Empty,
    /// Not JSON.
    #[error("the state is not JSON (line {line}, column {column}: {reason})")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's words.
        reason: String,
    },
    /// JSON that ends in the middle.
    #[error("the state is truncated: it ends in the middle, after {bytes} bytes; upload it again")]
    Truncated {
        /// Bytes read.
        bytes: u64,
    },
    /// JSON, but no state.
    #[error("this is JSON, but no Terraform state: {0}")]
    NotAState(String),
    /// Two bytes for each character, where JSON has UTF-8.
    #[error(
        "the state is UTF-16, as PowerShell's > writes it, and must be UTF-8: \
         write it with `terraform state pull | Out-File -Encoding utf8 terraform.tfstate`"
    )]
    Utf16,
    /// A format version before or after 4.
    #[error("state format version {0} is not supported, only 4 is; {advice}", advice = upgrade(*.0))]
    UnsupportedVersion(u64),
    /// Encrypted by `OpenTofu`.
    #[error(
        "the state is encrypted by OpenTofu ({0}); give a decrypted one, for example the output of `tofu state pull`"
    )]
    Encrypted(&'static str),
    /// More bytes than allowed.
    #[error("the state has more than {limit} bytes, which is the most that is read; split it")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// More objects than allowed.
    #[error("the state declares more than {limit} resources, which is the most that is read; split it")]
    TooManyResources {
        /// The limit.
        limit: u64,
    },
    /// The sink had enough.
    #[error("reading the state was stopped")]
    Stopped,
    /// The bytes could not be read.
    #[error("the state could not be read")]
    Io(#[source] std::io::Error),
}

/// What helps against a format version that is not 4.
fn upgrade(version: u64) -> &'static str {
    if version < 4 {
        "run any terraform 0.12 or later, or tofu, on it once and it is upgraded"
    } else {
        "it is newer than this version of Plumbline, which reads version 4: use a newer one that reads it"
    }
}

/// Reads a state; every managed object goes to the sink, secrets already replaced by hashes under the key.
///
/// # Errors
/// See [`StateError`]. What the sink got before an error is to be thrown away: the version may come last in the file.
pub fn read(
    reader: impl Read,
    limits: &Limits,
    key: &SensitiveKey,
    sink: impl FnMut(DeclaredResource) -> ControlFlow<()>,
) -> Result<StateSummary, StateError> {
    let mut source = Source::new(reader, limits.max_bytes);
    let start = match source::start(&mut source) {
        Ok(Start::Utf8(start)) => start,
        Ok(Start::Utf16) => return Err(StateError::Utf16),
        Err(_) if source.is_over() => return Err(StateError::TooLarge { limit: source.limit() }),
        Err(error) => return Err(StateError::Io(error)),
    };
    let mut context = Context::new(limits, key, sink);
    let text = start.as_slice().chain(&mut source);
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, text));
    let outcome = context.read(&mut json).and_then(|()| json.end());
    drop(json);
    let (refusal, mut summary) = context.finish();
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if let Err(error) = outcome {
        return Err(explain(error, &source));
    }
    if summary.format_version == 0 {
        return Err(StateError::NotAState("it has no \"version\"".to_owned()));
    }
    (summary.bytes, summary.sha256) = source.finish();
    Ok(summary)
}

fn explain<R>(error: serde_json::Error, source: &Source<R>) -> StateError {
    if source.is_over() {
        return StateError::TooLarge { limit: source.limit() };
    }
    match error.classify() {
        Category::Io => StateError::Io(error.into()),
        Category::Eof if source.is_blank() => StateError::Empty,
        Category::Eof => StateError::Truncated { bytes: source.bytes() },
        Category::Data => StateError::NotAState(error.to_string()),
        Category::Syntax => {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
            StateError::NotJson { line: error.line(), column: error.column(), reason }
        }
    }
}
