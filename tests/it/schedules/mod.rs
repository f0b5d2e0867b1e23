//! Schedules that fire: by the code that schedulers run, and by the real executables.

mod clock;
mod fired;
mod fleet;
mod missed;
mod outcomes;
mod plans;
mod races;
mod refused;
mod world;

use world::{World, at};
