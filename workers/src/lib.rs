//! workers
pub mod cloud;
