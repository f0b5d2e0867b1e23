//! When a schedule fires: the five-field cron line, in a time zone.
//!
//! The language is that of POSIX `crontab` (IEEE Std 1003.1-2024, Utilities) with what Vixie cron and Debian's `crontab(5)`
//! add to it: names, steps, Sunday as 7, and the `@` words. Where the two leave room, the stricter reading is taken and the
//! line refused with the way out, because a schedule that does not mean what its author thought is found out late.
//! The difference to Debian that is kept on purpose is in what a change of the clocks does; see [`Timetable`].
//!
//! The `cron` crate finds the next match of a set of fields. Everything else is here: the crate's own language has
//! seconds and years, numbers the days of the week otherwise, and demands both day fields at once.
//!
//! Nothing here reads a clock.

mod days;
mod describe;
mod error;
mod expression;
mod fields;
mod next;
mod parse;
mod phrases;
#[cfg(test)]
mod tests;
mod values;
mod zone;

pub use chrono_tz::Tz;
pub use error::Invalid;
pub use expression::Expression;
pub use next::Timetable;
pub use zone::{UnknownZone, zone};
