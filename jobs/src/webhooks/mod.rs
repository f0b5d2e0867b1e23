//! Webhooks: events posted to the endpoints of those who asked for them, by the Standard Webhooks specification.
//!
//! Here is what the API and the workers must agree on, without a table and without a request: what an endpoint may be
//! (checked by the API when it is saved, and by the workers again at every delivery, as names move and rules change), and how
//! a message is signed. The rows are `db`'s, the client that posts is `workers::outbound::webhook`.
//!
//! - [`address`]: which URLs may be posted to;
//! - [`headers`]: which headers an endpoint may ask for;
//! - `ports`: which ports never speak HTTP.

pub mod address;
pub mod headers;
mod ports;
