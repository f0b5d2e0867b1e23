//! When a line fires next, in a zone whose clocks change.
//!
//! The rule:
//! - A line whose hour field is restricted (it does not begin with `*` and does not hold all 24 hours) names times of day.
//!   A time that a day does not have, because the clocks go forward over it, fires once, at the first minute after the
//!   gap; several such times fire once together, and together with a time that falls on that minute anyway. A time that a
//!   day has twice, because the clocks go back, fires once, the first time.
//! - Any other line repeats through the day, and goes by the clock as it really runs: what is skipped is skipped, what is
//!   repeated is repeated.
//!
//! POSIX says nothing of changing clocks. This is what Debian's `cron(8)` does, with three differences. Debian counts a
//! line among those that repeat also when its minute field begins with `*` (`*/15 2 * * *`); here the hours decide, so that
//! 2 o'clock is never left out and never comes twice. It does not count `0-23` among them; here it is the same as `*`. And
//! it takes changes of three hours and more for corrections of the clock, and fires nothing for what they skip; here a day
//! that is left out, as 30 December 2011 was on Samoa, is made up for like an hour.
//!
//! The way: the next match is looked for on a clock that is never changed, and placed in the zone. Both go forward
//! together, so the first match that lands after the given instant is the next; only where the clock shows the same times a
//! second time must a repeating line also look back.

use chrono::{DateTime, Datelike, Days, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::days::YEARS;
use super::expression::Expression;

/// The longest gap: a day that is left out, and then some.
const LONGEST_GAP_MINUTES: i64 = 2 * 24 * 60;

/// An expression in a time zone.
///
/// A line with a restricted hour field names times of day: one that a day does not have, because the clocks go forward over
/// it, fires once, at the first minute after; one that a day has twice fires the first time. A line whose hour field begins
/// with `*`, or holds all hours, goes by the clock as it really runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    pub(super) expression: Expression,
    pub(super) zone: Tz,
}

impl Timetable {
    /// The firings of `expression` by the clocks of `zone`.
    #[must_use]
    pub const fn new(expression: Expression, zone: Tz) -> Self {
        Self { expression, zone }
    }

    /// The line.
    #[must_use]
    pub const fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The zone that it is read in.
    #[must_use]
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// See [`Expression::shortest_interval`].
    #[must_use]
    pub fn shortest_interval(&self) -> std::time::Duration {
        self.expression.shortest_interval()
    }

    /// The first firing that is later than `after`, be it by a nanosecond. `None` past the year 2100 of the zone; nothing
    /// fires before 1970.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Also keeps what follows away from the ends of the calendar, where adding a second would panic.
        let after = after.max(DateTime::UNIX_EPOCH.checked_sub_days(Days::new(2))?);
        if after.year() > YEARS.1 + 1 {
            return None;
        }
        let local = self.zone.from_utc_datetime(&after.naive_utc()).naive_local();
        let next = self.first_match(local, after);
        if self.expression.repeats()
            && let LocalResult::Ambiguous(first, second) = self.zone.from_local_datetime(&local)
            && second > after
        {
            // The clock will show this time again, and times before it that have already been.
            let again = self.first_repeated(local - (second - first), local);
            return next.into_iter().chain(again).min();
        }
        next
    }

    /// Every firing later than `after`, in order, up to the year 2100.
    pub fn upcoming(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(after), |&previous| self.next_after(previous))
    }

    /// The first instant later than `after` at which the clock shows a match later than `local` or, for a line of times
    /// of day, makes up for one. Every turn comes nearer to the end of an overlap or of a gap.
    fn first_match(&self, mut local: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        loop {
            local = self.expression.next_local(local)?;
            let fires = match self.zone.from_local_datetime(&local) {
                LocalResult::Single(once) => once,
                LocalResult::Ambiguous(first, second) => {
                    if self.expression.repeats() && first <= after {
                        second
                    } else {
                        first
                    }
                }
                LocalResult::None => {
                    let resumed = self.resumes(local)?;
                    if self.expression.repeats() {
                        local = resumed - Duration::seconds(1);
                        continue;
                    }
                    self.zone.from_local_datetime(&resumed).earliest()?
                }
            };
            if fires > after {
                return Some(fires.to_utc());
            }
        }
    }

    /// The second passing of the first match that is later than `from`, not later than `to`, and passed twice.
    fn first_repeated(&self, from: NaiveDateTime, to: NaiveDateTime) -> Option<DateTime<Utc>> {
        std::iter::successors(self.expression.next_local(from), |&previous| self.expression.next_local(previous))
            .take_while(|&local| local <= to)
            .find_map(|local| match self.zone.from_local_datetime(&local) {
                LocalResult::Ambiguous(_, second) => Some(second.to_utc()),
                _ => None,
            })
    }

    /// The first minute that the clock shows after a gap in which `local` is.
    fn resumes(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        (1..=LONGEST_GAP_MINUTES)
            .map(|minutes| local + Duration::minutes(minutes))
            .find(|local| self.zone.from_local_datetime(local) != LocalResult::None)
    }
}
