//! Webhook deliveries: real HTTP, signatures checked by another implementation, and everything that receivers do wrong.

mod answers;
mod crash;
mod held;
pub mod scene;
mod secrets;
mod subscribers;
