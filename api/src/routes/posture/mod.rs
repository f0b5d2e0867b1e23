//! Posture: how every account stands, at a glance.

mod get;

use salvo::prelude::Router;

pub(super) fn router() -> Router {
    Router::with_path("posture").get(get::get_posture)
}
