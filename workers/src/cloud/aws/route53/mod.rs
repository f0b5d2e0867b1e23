//! Readers of route53.

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[];
