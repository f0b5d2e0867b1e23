//! Queues: how they stand, and pausing and resuming them.

mod list;
mod pause;

use jobs::steering::SteeringError;
use salvo::prelude::Router;

use crate::problem::Problem;

pub(super) fn router() -> Router {
    Router::with_path("queues")
        .get(list::list_queues)
        .push(Router::with_path("{name}/pause").post(pause::pause_queue))
        .push(Router::with_path("{name}/resume").post(pause::resume_queue))
}

impl From<SteeringError> for Problem {
    fn from(error: SteeringError) -> Self {
        match error {
            SteeringError::UnknownQueue { name, known } => {
                let name: String = name.chars().take(64).collect();
                Self::no_such(format!("queue as {name}: there are {}", known.join(", ")))
            }
            SteeringError::Audit(error) => error.into(),
            SteeringError::Database(error) => error.into(),
        }
    }
}
