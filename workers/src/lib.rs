//! The workers: what runs jobs, and the only part that talks to clouds.

mod background;
mod batch;
pub mod cloud;
mod counting;
mod handler;
pub mod handlers;
pub mod ingest;
pub mod live;
pub mod outbound;
pub mod runtime;
pub mod services;
