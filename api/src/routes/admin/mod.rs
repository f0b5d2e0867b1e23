//! What platform operators do: look after the queue and what is in it. Opened by operators' keys alone.

mod dead_jobs;
mod jobs;
mod queues;
mod replays;
mod workers;

use salvo::prelude::Router;

/// `/admin` and all below it.
pub(super) fn router() -> Router {
    Router::with_path("admin")
        .push(dead_jobs::router())
        .push(jobs::router())
        .push(queues::router())
        .push(workers::router())
}
