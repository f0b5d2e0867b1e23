//! Readers of iam.

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[];
