//! What the integration tests share: a database of one's own, the real executable, a client for its API.

pub mod account;
pub mod api;
pub mod database;
pub mod dns;
pub mod faults;
pub mod moto;
pub mod oracle;
pub mod pgbouncer;
pub mod plans;
pub mod process;
pub mod receiver;
pub mod server;
pub mod wait;

pub use api::Api;
pub use database::TestDb;
pub use dns::Dns;
pub use pgbouncer::PgBouncer;
pub use process::Plumbline;
pub use receiver::{Receiver, Reply};
pub use wait::eventually;
