//! What the integration tests share: a database of one's own, the real executable, a client for its API.

pub mod database;
pub mod server;

pub use database::TestDb;
