//! Calls to the world outside over HTTP: each purpose has its client, built here and nowhere else.

pub mod local;
pub mod webhook;
