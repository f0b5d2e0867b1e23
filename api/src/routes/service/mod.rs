//! Whether the service lives: no credential needed.

mod health;
mod ready;

use salvo::prelude::Router;

/// `/health`, in the contract.
pub(super) fn router() -> Router {
    Router::with_path("health").get(health::health)
}

/// `/healthz` and `/readyz`, for probes.
pub(super) fn probes() -> Router {
    Router::new()
        .push(Router::with_path("healthz").get(health::health))
        .push(Router::with_path("readyz").get(ready::ready))
}
