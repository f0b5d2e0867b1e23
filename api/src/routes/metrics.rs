//! `GET /metrics`: the process's metrics and the queue's gauges in Prometheus' text format. Labels are routes and words, never ids.

use salvo::handler;
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::prelude::{Depot, Response, Router};

use crate::context;
use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("metrics").get(metrics)
}

#[handler]
async fn metrics(depot: &mut Depot, res: &mut Response) -> Result<(), Problem> {
    let text = context::of(depot)?.app.metrics().await.ok_or(Problem::not_found("page"))?;
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    res.body(text);
    Ok(())
}
