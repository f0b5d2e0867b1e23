//! What the API, the workers and the scheduler share: kinds of jobs, the queue, the database, and domain types.

pub mod ids;
pub mod kinds;
pub mod queue;
pub mod retry;
pub mod schema;
