//! Outbound webhooks: telling subscribers what happened, by the Standard Webhooks specification.
//!
//! An event is recorded in the transaction that makes it true, and in the same one a [delivery](crate::db::webhook_delivery) and a
//! [job](crate::kinds::deliver_webhook) for each [endpoint] that [asked for it](subscription) ([`fan_out`]). The job's handler
//! signs ([`signature`]) and posts, and writes down what came of it; what failed or was missed can be sent again ([`replay`]). In the
//! end all of it is forgotten ([`retention`]).
//!
//! What an endpoint may be held to (deliveries at once and in a second, pauses) are limits of the queue, for its id is the
//! concurrency group of its deliveries.
//!
//! What the API checks when an endpoint is saved, and the workers again at every delivery, as names move and rules change: which
//! URLs may be posted to ([`address`]), which headers may be added ([`headers`]), which ports never speak HTTP (`ports`).

pub mod address;
pub mod endpoint;
pub mod fan_out;
pub mod headers;
mod ports;
pub mod replay;
pub mod retention;
pub mod sealed;
pub mod secret;
pub mod signature;
pub mod subscription;
