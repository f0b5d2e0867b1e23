//! Readers against recorded accounts: what they find of each declared resource is what Terraform itself wrote into the
//! state, attribute by attribute, but for what was tampered with.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod declared;
mod moto;
mod refusals;
mod s3_and_iam;
mod settings;
