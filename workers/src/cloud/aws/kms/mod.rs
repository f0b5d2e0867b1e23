//! Readers of KMS.

mod alias;
mod key;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[key::READER, alias::READER];
