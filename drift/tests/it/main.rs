//! The crate through its public face.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod children;
mod compare;
mod oracle;
mod properties;
mod state;
mod support;
