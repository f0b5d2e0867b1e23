//! Secrets: sealed at rest under a master key ([`Keyring`]), and API keys that are only ever kept as hashes ([`api_key`]).

pub mod api_key;
mod envelope;

pub use envelope::{Aad, Keyring, KeyringError, OpenError};
