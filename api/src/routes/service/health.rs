//! `GET /health`: the process is alive. It asks nobody else, so a broken database does not get it restarted.

use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

/// A living service.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Health", example = json!({"status": "ok", "version": "0.1.0"})))]
pub(super) struct Health {
    /// ok.
    status: &'static str,
    /// The version that runs.
    version: &'static str,
}

/// Liveness for probes and load balancers
#[endpoint(operation_id = "get_health", tags("service"))]
#[allow(clippy::unused_async, reason = "an endpoint is async")]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
