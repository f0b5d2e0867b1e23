//! One file a command: its arguments, and what it does.

pub mod completions;
pub mod doctor;
pub mod drift;
pub mod migrate;
pub mod up;
