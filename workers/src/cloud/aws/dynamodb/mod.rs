//! Readers of dynamodb.

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[];
