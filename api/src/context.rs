//! What belongs to one request: its id, where it came from, and what the layers leave for each other.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jobs::audit::Origin;
use salvo::prelude::Depot;

use crate::app::App;
use crate::idempotency::PendingClaim;
use crate::limits::Allowance;
use crate::problem::Problem;

/// One request's context. Cheap to clone; the clones share what is left for the outer layers.
#[derive(Clone, Debug)]
pub struct Context {
    /// The application.
    pub app: App,
    /// The request's id, echoed in `X-Request-Id`.
    pub request_id: String,
    /// The caller's address: the peer's, or the one that trusted proxies name.
    pub ip: Option<IpAddr>,
    left: Arc<Mutex<Left>>,
}

/// What inner layers leave for the outer ones.
#[derive(Debug, Default)]
pub struct Left {
    /// State of the caller's rate limit, for the headers.
    pub allowance: Option<Allowance>,
    /// Who called, for the access log: kind and id.
    pub caller: Option<String>,
    /// An Idempotency-Key that is held and not yet answered.
    pub claim: Option<PendingClaim>,
}

impl Context {
    /// A new request's.
    #[must_use]
    pub fn new(app: App, request_id: String, ip: Option<IpAddr>) -> Self {
        Self { app, request_id, ip, left: Arc::default() }
    }

    /// Where the request came from, for the audit chain.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { request_id: Some(self.request_id.clone()), ip: self.ip }
    }

    /// Reads or changes what is left for the outer layers.
    pub fn left<T>(&self, with: impl FnOnce(&mut Left) -> T) -> T {
        with(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The request's context.
///
/// # Errors
/// Only where a route was mounted outside the service.
pub fn of(depot: &Depot) -> Result<&Context, Problem> {
    depot.get_typed::<Context>().map_err(|_| Problem::internal("the request has no context"))
}

/// The request's id, or nothing where there is no context.
#[must_use]
pub fn request_id(depot: &Depot) -> &str {
    depot.get_typed::<Context>().map_or("", |context| context.request_id.as_str())
}
