//! Headers that every answer carries.

use salvo::http::HeaderMap;
use salvo::http::header::{self, HeaderName, HeaderValue};
use salvo::prelude::Response;

use crate::context::Context;

/// Set unless the route has set its own.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Writes the request id, the rate limit's state and the security headers.
pub fn write(res: &mut Response, context: &Context) {
    let headers = res.headers_mut();
    for (name, value) in DEFAULTS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(allowance) = context.left(|left| left.allowance) {
        number(headers, "ratelimit-limit", u64::from(allowance.limit));
        number(headers, "ratelimit-remaining", u64::from(allowance.remaining));
        number(headers, "x-ratelimit-remaining", u64::from(allowance.remaining));
        // Rounded up: whoever waits so long finds the bucket full.
        let full_in = allowance.full_in.as_secs() + u64::from(allowance.full_in.subsec_nanos() > 0);
        number(headers, "ratelimit-reset", full_in);
    }
}

fn number(headers: &mut HeaderMap, name: &'static str, value: u64) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
}
