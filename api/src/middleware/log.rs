//! The access log and the request metrics. Routes appear as templates, so neither ids nor queries get into either.

use std::time::Duration;

use salvo::http::{Method, StatusCode};

use super::method_label;
use crate::context::Context;

/// What is told of one request.
#[derive(Debug)]
pub struct Line<'a> {
    /// The method.
    pub method: &'a Method,
    /// The route's template.
    pub route: &'a str,
    /// The answer's status.
    pub status: StatusCode,
    /// How long it took.
    pub took: Duration,
}

impl Line<'_> {
    /// Logs the request and counts it.
    pub fn write(&self, context: &Context) {
        let method = method_label(self.method);
        let caller = context.left(|left| left.caller.clone());
        tracing::info!(
            target: "api::access",
            method,
            route = self.route,
            status = self.status.as_u16(),
            took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            request_id = context.request_id,
            caller = caller.as_deref().unwrap_or("-"),
            ip = context.ip.map(tracing::field::display),
            "request"
        );
        let route = self.route.to_owned();
        metrics::counter!(
            "http_requests_total",
            "method" => method,
            "route" => route.clone(),
            "status" => self.status.as_u16().to_string()
        )
        .increment(1);
        metrics::histogram!("http_request_duration_seconds", "method" => method, "route" => route)
            .record(self.took.as_secs_f64());
    }
}
