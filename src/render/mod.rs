//! How results look to a person at a terminal.

pub mod drift;
pub mod events;
mod value;
