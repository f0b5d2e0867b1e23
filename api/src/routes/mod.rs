//! Every path, in one place. One endpoint, one file: `routes/<resource>/<verb>.rs`; each resource's `mod.rs` has the shapes
//! its endpoints share and a `router()`.

mod accounts;
mod admin;
mod api_keys;
mod dead_jobs;
mod jobs;
mod me;
mod metrics;
mod orgs;
mod posture;
mod providers;
mod resources;
mod scans;
mod schedules;
mod service;
mod state_sources;
mod webhook_deliveries;
mod webhook_endpoints;
mod webhook_event_types;

use salvo::http::Method;
use salvo::prelude::Router;
use salvo::routing::{Filter as _, FilterInfo, filters};

use crate::openapi;

/// The operations of the contract, as the document describes them.
#[must_use]
pub fn described() -> Router {
    Router::with_path("api/v2")
        .push(service::router())
        .push(me::router())
        .push(providers::router())
        .push(webhook_event_types::router())
        .push(orgs::router())
        .push(admin::router())
}

/// All that is served: the operations, HEAD wherever there is GET, and what is beside the contract.
pub(crate) fn served() -> Router {
    let router =
        Router::new().push(described()).push(service::probes()).push(metrics::router()).push(openapi::router());
    answer_head(router)
}

/// HEAD is GET without a body (RFC 9110, section 9.3.2); the service drops the body.
fn answer_head(mut router: Router) -> Router {
    for filter in router.filters_mut() {
        if matches!(filter.info(), FilterInfo::Method(Method::GET)) {
            *filter = Box::new(filters::get().or(filters::head()));
        }
    }
    let children = std::mem::take(router.routers_mut());
    router.routers_mut().extend(children.into_iter().map(answer_head));
    router
}
