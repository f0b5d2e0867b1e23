//! All organisations' dead letters, and the platform's own.

mod discard;
mod get;
mod list;
mod replay;

use salvo::prelude::Router;

use super::replays;

pub(super) fn router() -> Router {
    // Before the ids: `replays` is none.
    Router::with_path("dead-jobs").get(list::list_dead_jobs).push(replays::router()).push(
        Router::with_path("{job_id}")
            .get(get::get_dead_job)
            .push(Router::with_path("replay").post(replay::replay_dead_job))
            .push(Router::with_path("discard").post(discard::discard_dead_job)),
    )
}
