//! What handlers take from a request: the extractors that stand as arguments of an endpoint.
//!
//! Each of them checks its part, answers with a [`Problem`](crate::problem::Problem) that names what is wrong, and writes
//! itself into the operation's description, so that the document cannot differ from what is enforced.

mod body;
mod page;
pub(crate) mod path;
mod slice;
mod words;

pub use body::{Body, DEFAULT_BODY_LIMIT, OptionalBody, field_id, given, read_body, stream_body};
pub use page::{Filter, Only, Page, Parameter, Query};
pub use path::PathId;
pub use slice::Slice;
