//! Readers of DynamoDB.

mod shape;
mod table;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[table::READER];
