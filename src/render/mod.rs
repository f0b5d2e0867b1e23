//! How results look to a person at a terminal.

pub mod drift;
mod value;
