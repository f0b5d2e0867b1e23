//! workers
pub mod cloud;
mod handler;
pub mod runtime;
