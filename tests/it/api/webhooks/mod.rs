//! The operations on webhook endpoints, their deliveries and replays. No worker runs: what one would write is written by the tests.

mod addresses;
mod create;
mod delete;
mod deliveries;
mod delivery;
mod event_types;
mod keys_tell;
mod limits;
mod list;
mod replay;
mod replays;
mod rotate;
mod test;
mod update;
mod world;

use world::{Case, LATE, PUBLIC};
