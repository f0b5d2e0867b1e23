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
    /// fires before 1970. The tables of `chrono-tz` hold no change of the clocks after 2099: the year 2100 has none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::zone;

    /// The next firings after a local time, as local times with their offsets.
    fn fires(line: &str, in_zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone = zone(in_zone).unwrap();
        let local: NaiveDateTime = format!("{after}:00").parse().unwrap();
        let after = zone.from_local_datetime(&local).earliest().unwrap().to_utc();
        let timetable = Timetable::new(line.parse().unwrap(), zone);
        let shown = |at: DateTime<Utc>| at.with_timezone(&zone).format("%m-%d %H:%M%:z").to_string();
        timetable.upcoming(after).take(count).map(shown).collect()
    }

    #[test]
    fn nothing_fires_after_the_year_2100_nor_before_1970() {
        let yearly = Timetable::new("59 23 31 12 *".parse().unwrap(), Tz::UTC);
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(yearly.next_after(at("2100-12-31T23:58:59Z")), Some(at("2100-12-31T23:59:00Z")));
        assert_eq!(yearly.next_after(at("2100-12-31T23:59:00Z")), None);
        for late in [at("2101-12-31T00:00:00Z"), at("9999-01-01T00:00:00Z"), DateTime::<Utc>::MAX_UTC] {
            assert_eq!(yearly.next_after(late), None);
        }
        for early in [DateTime::<Utc>::MIN_UTC, at("0001-01-01T00:00:00Z"), at("1969-12-30T00:00:00Z")] {
            assert_eq!(yearly.next_after(early), Some(at("1970-12-31T23:59:00Z")), "{early}");
        }
        // 2100 is no leap year.
        let leap = Timetable::new("0 0 29 2 *".parse().unwrap(), Tz::UTC);
        assert_eq!(leap.next_after(at("2096-02-29T00:00:00Z")), None);
    }

    #[test]
    fn the_given_instant_itself_is_never_the_answer() {
        let nine = Timetable::new("0 9 * * *".parse().unwrap(), Tz::UTC);
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (today, tomorrow) = (at("2026-05-01T09:00:00Z"), at("2026-05-02T09:00:00Z"));
        assert_eq!(nine.next_after(at("2026-05-01T08:59:59.999999999Z")), Some(today));
        assert_eq!(nine.next_after(today), Some(tomorrow));
        assert_eq!(nine.next_after(at("2026-05-01T09:00:00.000000001Z")), Some(tomorrow));
    }

    #[test]
    fn a_time_of_day_that_is_skipped_fires_once_after_the_gap() {
        let berlin = |line: &str| fires(line, "Europe/Berlin", "2026-03-29T01:59", 2);
        assert_eq!(berlin("30 2 * * *"), ["03-29 03:00+02:00", "03-30 02:30+02:00"]);
        // Together with the others of the gap, and with one that falls on its end.
        assert_eq!(berlin("*/15 2 * * *"), ["03-29 03:00+02:00", "03-30 02:00+02:00"]);
        assert_eq!(berlin("0,30 2,3 * * *"), ["03-29 03:00+02:00", "03-29 03:30+02:00"]);
        assert_eq!(berlin("30 2 29 3 *")[0], "03-29 03:00+02:00");
    }

    #[test]
    fn a_time_of_day_that_comes_twice_fires_the_first_time() {
        let new_york = |line: &str| fires(line, "America/New_York", "2026-11-01T00:59", 3);
        assert_eq!(new_york("30 1 * * *"), ["11-01 01:30-04:00", "11-02 01:30-05:00", "11-03 01:30-05:00"]);
        assert_eq!(new_york("30 1,2 * * *"), ["11-01 01:30-04:00", "11-01 02:30-05:00", "11-02 01:30-05:00"]);
    }

    #[test]
    fn a_line_that_repeats_goes_by_the_clock() {
        let spring = |line: &str| fires(line, "America/New_York", "2026-03-08T00:59", 3);
        assert_eq!(spring("30 * * * *"), ["03-08 01:30-05:00", "03-08 03:30-04:00", "03-08 04:30-04:00"]);
        assert_eq!(spring("30 */2 * * *"), ["03-08 04:30-04:00", "03-08 06:30-04:00", "03-08 08:30-04:00"]);
        let autumn = |line: &str| fires(line, "America/New_York", "2026-11-01T00:59", 4);
        for line in ["*/30 * * * *", "*/30 0-23 * * *"] {
            assert_eq!(
                autumn(line),
                ["11-01 01:00-04:00", "11-01 01:30-04:00", "11-01 01:00-05:00", "11-01 01:30-05:00"]
            );
        }
    }

    #[test]
    fn clocks_that_change_by_half_an_hour_or_at_midnight_or_by_a_day() {
        let howe = "Australia/Lord_Howe";
        assert_eq!(fires("15 2 * * *", howe, "2026-10-04T01:00", 2), ["10-04 02:30+11:00", "10-05 02:15+11:00"]);
        assert_eq!(
            fires("45 * * * *", howe, "2026-04-05T01:00", 3),
            ["04-05 01:45+11:00", "04-05 01:45+10:30", "04-05 02:45+10:30"]
        );
        for (zone, day) in
            [("Africa/Cairo", "2026-04-24"), ("Asia/Beirut", "2026-03-29"), ("America/Sao_Paulo", "2018-11-04")]
        {
            let before: NaiveDateTime = format!("{day}T01:00:00").parse().unwrap();
            let before = (before - Duration::hours(2)).format("%Y-%m-%dT%H:%M").to_string();
            let fired = fires("0 0 * * *", zone, &before, 2);
            assert!(
                fired[0].contains(&format!("{} 01:00", &day[5..])) && fired[1].contains(" 00:00"),
                "{zone}: {fired:?}"
            );
        }
        assert_eq!(
            fires("0 9 * * *", "Pacific/Apia", "2011-12-29T08:00", 3),
            ["12-29 09:00-10:00", "12-31 00:00+14:00", "12-31 09:00+14:00"]
        );
        assert_eq!(
            fires("0 */12 * * *", "Pacific/Apia", "2011-12-29T08:00", 3),
            ["12-29 12:00-10:00", "12-31 00:00+14:00", "12-31 12:00+14:00"]
        );
    }
}
