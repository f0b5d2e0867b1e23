//! Readers of Secrets Manager. They never read a secret's value.

mod secret;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[secret::READER];
