//! What happens in an organisation and may be told to its subscribers: the [`catalogue`] of types, the [`data`] of each, and
//! how one is recorded.
//!
//! An event is recorded in the transaction that makes it true: a scan that is done and an event that says so exist
//! together or not at all. Its data are ids, counts and links, never payloads: whoever is told asks the API for the rest,
//! with a credential, and gets what is true by then.
//!
//! Schemas, examples and the page for subscribers are made from the types in [`data`], so none of them can say something
//! that is not sent. A type may gain fields and the catalogue may gain types; neither loses any.

pub mod catalogue;
pub mod data;
mod examples;
mod record;

pub use catalogue::{Body, EventType};
pub use record::{
    Disabled, Drift, KeyChange, NewEvent, Tell, record, record_api_key, record_drift, record_scan_end,
    record_schedule_disabled, record_test_ping, record_webhook_disabled,
};
