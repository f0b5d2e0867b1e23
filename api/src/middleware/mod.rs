//! What every request passes before and after its route: one handler around all of them, so that no route can forget any
//! of it.
//!
//! In: a request id, a free slot, known query parameters, a time limit. Out: problems for what routing refused, for panics
//! and for time-outs; headers; an access log line; metrics; a released Idempotency-Key.

mod headers;
mod log;
mod parameters;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use salvo::conn::SocketAddr;
use salvo::http::{Method, StatusCode};
use salvo::prelude::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use uuid::Uuid;

pub use parameters::Parameters;

use crate::app::App;
use crate::context::Context;
use crate::problem::{self, Problem};
use crate::proxies;

/// A request may take so long; five seconds more than the longest wait for a job.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Routes that take large bodies may take so long.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);
/// Ends of the templates of those routes.
const UPLOADS: [&str; 1] = ["/state-sources/{src_id}/state"];

/// The handler around everything.
#[derive(Debug)]
pub struct Scope {
    app: App,
    parameters: Parameters,
}

impl Scope {
    /// Around the routes that `parameters` knows.
    #[must_use]
    pub const fn new(app: App, parameters: Parameters) -> Self {
        Self { app, parameters }
    }

    fn caller(&self, req: &Request) -> Option<IpAddr> {
        peer(req).map(|peer| proxies::caller(self.app.trusted_proxies(), peer, req.headers()))
    }

    async fn run(
        &self,
        (req, depot, res): (&mut Request, &mut Depot, &mut Response),
        ctrl: &mut FlowCtrl,
        route: &str,
    ) -> Result<(), Problem> {
        let _slot = self.app.slots().try_acquire().map_err(|_| Problem::Unavailable {
            class: "overloaded",
            message: "too many requests are being worked on at the moment: try again",
        })?;
        self.parameters.check(req, route)?;
        let limit = if UPLOADS.iter().any(|upload| route.ends_with(upload)) { UPLOAD_TIMEOUT } else { REQUEST_TIMEOUT };
        let handled = AssertUnwindSafe(ctrl.call_next(req, depot, res)).catch_unwind();
        match tokio::time::timeout(limit, handled).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(panic)) => Err(Problem::internal(format!("panic: {}", message(&*panic)))),
            Err(_) => Err(Problem::Unavailable { class: "timeout", message: "the request took too long: try again" }),
        }
    }
}

#[async_trait]
impl Handler for Scope {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let started = Instant::now();
        let context = Context::new(self.app.clone(), request_id(req), self.caller(req));
        depot.insert_typed(context.clone());
        let route = match req.matched_path() {
            "" => "unmatched".to_owned(),
            matched => format!("/{}", matched.trim_start_matches('/')),
        };
        let release = Release(Some(context.clone()));

        if let Err(problem) = self.run((req, depot, res), ctrl, &route).await {
            problem::render(&problem, &context.request_id, res);
        } else if let Some(problem) = refused_by_routing(req, res) {
            problem::render(&problem, &context.request_id, res);
        }
        release.now().await;

        headers::write(res, &context);
        let line = log::Line {
            method: req.method(),
            route: &route,
            status: res.status_code.unwrap_or(StatusCode::OK),
            took: started.elapsed(),
        };
        line.write(&context);
        // What follows in the chain has run, or shall not.
        ctrl.skip_rest();
    }
}

/// Lets go of a claimed Idempotency-Key at the request's end, also when the client goes away and the request is dropped.
struct Release(Option<Context>);

impl Release {
    async fn now(mut self) {
        if let Some(context) = self.0.take()
            && let Some(claim) = context.left(|left| left.claim.take())
        {
            claim.release(context.app.pool()).await;
        }
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(context) = self.0.take()
            && let Some(claim) = context.left(|left| left.claim.take())
        {
            tokio::spawn(async move { claim.release(context.app.pool()).await });
        }
    }
}

/// The router leaves a bare status for what it does not know.
fn refused_by_routing(req: &Request, res: &Response) -> Option<Problem> {
    if !(res.body.is_none() || res.body.is_error()) {
        return None;
    }
    match res.status_code? {
        StatusCode::NOT_FOUND => Some(Problem::not_found("page")),
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::MethodNotAllowed { method: req.method().clone() }),
        status if status.is_client_error() => {
            Some(Problem::bad_request("malformed_request", "the request is not well-formed"))
        }
        status if status.is_server_error() => Some(Problem::internal(format!("bare status {status}"))),
        _ => None,
    }
}

/// The client's id if it is a harmless word, so that it can follow its request through the logs; a new one otherwise.
fn request_id(req: &Request) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || [b'-', b'_', b'.', b':'].contains(&byte);
    req.headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(harmless))
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

fn peer(req: &Request) -> Option<IpAddr> {
    match req.remote_addr() {
        SocketAddr::IPv4(addr) => Some(IpAddr::V4(*addr.ip())),
        SocketAddr::IPv6(addr) => Some(addr.ip().to_canonical()),
        _ => None,
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// A method's name as a metric's label: what is not known is one word, so that nobody can make up labels.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
