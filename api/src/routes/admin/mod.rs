//! What platform operators do: look after the queue and what is in it. Opened by operators' keys alone.

mod jobs;
mod queues;
mod workers;

use salvo::prelude::Router;

/// `/admin` and all below it.
pub(super) fn router() -> Router {
    Router::with_path("admin").push(jobs::router()).push(queues::router()).push(workers::router())
}
