//! Plumbline's composition: the command line, and how the parts are put together for each role.
//!
//! Nothing here knows a cloud, a table or a route. It is a library only so that the integration tests can use the embedded
//! Postgres and the list of settings as the binary does.

pub mod boot;
pub mod cli;
mod commands;
pub mod config;
mod output;
pub mod postgres;
mod render;
mod roles;
pub mod shutdown;
pub mod telemetry;
