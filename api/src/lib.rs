//! The REST API: slim on purpose. A request is checked, one row and one job are written in one transaction, and the answer
//! says where to look. Nothing here calls a cloud, parses a state or builds a file.
//!
//! # How to add an operation
//!
//! One endpoint, one file, `routes/<resource>/<verb>.rs` (look at `routes/orgs/get.rs` for a read and at
//! `routes/api_keys/create.rs` for a write):
//!
//! 1. A function with `#[endpoint(operation_id = "…", tags("…"))]` whose doc comment is the summary. Its arguments say
//!    everything there is to check, enforce it, and describe it in the OpenAPI document:
//!    - [`access::Tenant<P>`] first, for paths under `/orgs/{id}`: who may. [`access::Viewer`] for reads, [`access::Member`]
//!      for everyday writes, [`access::Admin`] where the contract says owner or admin, `Person<Admin>` where it says OIDC
//!      only. It holds the organisation's id (put it into every query), plan, the caller, and the request's
//!      [`context::Context`] (application, request id, address). [`access::Signed<P>`] for other paths,
//!      [`access::Operator`] for those under `/admin`.
//!    - [`request::PathId<ScanId>`] named like the path's parameter: `scan_id: PathId<ScanId>`.
//!    - [`request::Page<Filter, 50, 200>`] for lists (default and most rows), where `Filter: request::Filter` reads filters;
//!      [`request::Slice<Filter, Place>`] for lists that grow too fast for an offset.
//!    - [`idempotency::Idempotency`] on each POST that creates.
//!    - [`request::Body<T>`] for JSON, `T` with `deny_unknown_fields`; ids in it are texts read by [`request::field_id`].
//! 2. It returns `Result<Json<T>, Problem>`, or [`answer::Created`], [`answer::Accepted`], [`answer::Done`],
//!    [`answer::NoContent`]. Errors are [`problem::Problem`], whose module tells which to use when; `?` works on queries.
//! 3. A change goes: check the form, claim the idempotency key, begin a transaction, (`db::org::lock` and check the plan),
//!    write, `audit::append` last, `attempt.commit(tx, answer)`.
//! 4. A line in the resource's `router()`, a test in `tests/it/api/<resource>.rs`, and the document's snapshot renewed with
//!    `plumbline openapi > docs/openapi.json`.
//!
//! Rate limits, request ids, time limits, unknown query parameters, HEAD, logs and metrics come by themselves
//! ([`middleware`]).

pub mod access;
pub mod answer;
pub mod app;
pub mod auth;
pub mod awaited;
pub mod context;
mod gauges;
pub mod idempotency;
pub mod limits;
pub mod middleware;
pub mod openapi;
pub mod problem;
mod proxies;
pub mod request;
pub mod routes;
pub mod server;

pub use app::{App, Outbound, Parts};
pub use server::Server;
