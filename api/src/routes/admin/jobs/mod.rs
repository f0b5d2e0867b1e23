//! All organisations' jobs that wait or run, and the platform's own.

mod cancel;
mod get;
mod list;

use salvo::prelude::Router;

pub(super) fn router() -> Router {
    Router::with_path("jobs").get(list::list_jobs).push(
        Router::with_path("{job_id}").get(get::get_job).push(Router::with_path("cancel").post(cancel::cancel_job)),
    )
}
