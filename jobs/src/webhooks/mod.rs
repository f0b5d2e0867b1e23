//! Outbound webhooks: what an endpoint subscribes to, its secrets, and how a message is signed.

pub mod sealed;
pub mod secret;
pub mod signature;
pub mod subscription;
