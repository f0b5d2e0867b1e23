//! Readers of KMS.

mod alias;
mod key;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[key::READER, alias::READER];

/// Whether the alias is one of those that AWS gives to its own keys in an account.
fn is_managed_alias(name: &str) -> bool {
    name.starts_with("alias/aws/")
}
