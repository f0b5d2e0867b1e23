//! Secrets: sealed at rest under a master key ([`Keyring`]), API keys that are only ever kept as hashes ([`api_key`]), and
//! passwords for Postgres ([`scram`]).

pub mod api_key;
mod envelope;
pub(crate) mod mac;
pub mod scram;

pub use envelope::{Aad, Keyring, KeyringError, OpenError};
