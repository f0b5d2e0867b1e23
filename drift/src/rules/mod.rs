//! Which differences are noise, and how much the others matter.

mod severity;

pub use severity::Severity;
