//! The API's description, made from the handlers' types, and the page that shows it.
//!
//! The document is the contract for whoever generates a client, so a copy stands in `docs/openapi.json` on purpose, and a test
//! compares it with what is served.

mod docs;

use salvo::handler;
use salvo::http::header::{self, HeaderValue};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme};
use salvo::oapi::{Components, Info, License, OpenApi, Operation, PathItemType, RefOr, SecurityScheme, Server, Tag};
use salvo::prelude::{Depot, Response, Router};
use serde_json::json;

use crate::access::{API_KEY, OPERATOR_KEY, USER_TOKEN};
use crate::context;
use crate::problem::{self, Problem};
use crate::routes;

const DESCRIPTION: &str = "Plumbline tells where clouds no longer match their Terraform.\n\n\
    Send an API key in `X-API-Key` (or as a Bearer token) or a user token as a Bearer token. Each operation's `x-permission` says \
    which of them it takes, and the role and scope it needs.\n\n\
    Errors are `application/problem+json`; `error_class` is stable, `error` is for people. Lists take `limit` and `offset`. What \
    takes long answers 202 with a `Location` to poll. Every POST that creates takes an `Idempotency-Key`.";

/// Tags with what they are about.
const TAGS: [(&str, &str); 11] = [
    ("service", "Whether the service lives, and who you are."),
    ("orgs", "Organisations: the tenants."),
    ("api-keys", "Machines' credentials."),
    ("accounts", "Cloud accounts, and what the scans found in them."),
    ("state-sources", "Where Terraform states live."),
    ("scans", "Scans of cloud accounts."),
    ("drift", "Where clouds and states differ."),
    ("outbound-webhooks", "Telling your systems what happened."),
    ("dead-jobs", "Jobs that will not run again by themselves."),
    ("jobs", "What waits and runs for an organisation."),
    ("admin", "For platform operators: the queue and what is in it."),
];

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let info = Info::new("Plumbline", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(License::new("MIT OR Apache-2.0").identifier("MIT OR Apache-2.0"));
    let user_token = Http::new(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description("A user token of the configured OpenID Connect issuer.");
    let api_key = ApiKey::Header(ApiKeyValue::with_description(
        "X-API-Key",
        "An API key, `pl_live_…` or `pl_test_…`. The same value is taken as a Bearer token.",
    ));
    let operator_key = Http::new(HttpAuthScheme::Bearer)
        .description("A platform operator's key, `pl_op_…`, for `/admin`. The same value is taken in `X-API-Key`.");
    let mut document = OpenApi::with_info(info)
        .tags(TAGS.map(|(name, description)| Tag::new(name).description(description)))
        .add_security_scheme(USER_TOKEN, SecurityScheme::Http(user_token))
        .add_security_scheme(API_KEY, SecurityScheme::ApiKey(api_key))
        .add_security_scheme(OPERATOR_KEY, SecurityScheme::Http(operator_key))
        .merge_router(&routes::described());
    for item in document.paths.values_mut() {
        for (method, operation) in item.operations.iter_mut() {
            describe_success(operation);
            describe_problems(&mut document.components, operation);
            // Operators' keys have no scopes.
            if let Some(permission) = operation.extensions.get_mut("x-permission")
                && permission["credentials"] != json!([OPERATOR_KEY])
            {
                let reads = matches!(method, PathItemType::Get | PathItemType::Head);
                permission["scope"] = json!(if reads { "read" } else { "write" });
            }
        }
    }
    document
}

/// The library's words for a JSON answer say nothing.
fn describe_success(operation: &mut Operation) {
    if let Some(RefOr::Type(response)) = operation.responses.get_mut("200")
        && response.description == "Response with json format data"
    {
        "Success".clone_into(&mut response.description);
    }
}

/// Endpoints name the problems of their own by status and reason; what a problem looks like is the same everywhere.
fn describe_problems(components: &mut Components, operation: &mut Operation) {
    for (status, response) in operation.responses.iter_mut() {
        let status = status.parse().ok().filter(|status: &StatusCode| !status.is_success() && !status.is_redirection());
        if let (Some(status), RefOr::Type(response)) = (status, response)
            && response.contents.is_empty()
        {
            *response = problem::response(components, &response.description, status);
        }
    }
}

/// The document as it is served and committed: sorted, indented, with a newline at its end.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn json() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}

/// The document as an installation serves it: with its own address.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn served(public_url: &str) -> Result<String, serde_json::Error> {
    document().servers([Server::new(public_url)]).to_json()
}

/// `/api/v2/openapi.json`, `/api/v2/docs`, and the shorter ways to them.
pub(crate) fn router() -> Router {
    Router::new()
        .push(Router::with_path("api/v2/openapi.json").get(serve))
        .push(Router::with_path("openapi.json").get(to_document))
        .push(docs::router())
}

#[handler]
fn serve(depot: &mut Depot, res: &mut Response) -> Result<(), Problem> {
    let document = context::of(depot)?.app.document().map_err(Problem::internal)?;
    let headers = res.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    res.replace_body(ResBody::Once(document));
    Ok(())
}

#[handler]
fn to_document(res: &mut Response) {
    docs::redirect(res, "/api/v2/openapi.json");
}
