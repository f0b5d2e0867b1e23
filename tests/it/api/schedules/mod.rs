//! Schedules over the API: one file an operation.

mod create;
mod delete;
mod firings;
mod list;
mod preview;
mod run;
mod update;
mod world;

use world::Case;
