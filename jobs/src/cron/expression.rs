//! A line that has been read and checked.

use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDateTime;
use cron::Schedule;

use super::days::Days;
use super::error::{Invalid, Reason};
use super::fields::{Set, Spec};
use super::parse::{self, Line};

const MINUTES_PER_DAY: i64 = 24 * 60;

/// A five-field cron line, parsed and checked: there are times at which it fires.
///
/// The fields are minute (0 to 59), hour (0 to 23), day of month (1 to 31), month (1 to 12 or JAN to DEC) and day of week
/// (0 to 7 or SUN to SAT, Sunday being both 0 and 7), separated by spaces or tabs. Each is a list, separated by commas, of
/// `*`, values and ranges, and these may have a step: `*/10`, `9-17/2`; `5/20` means `5-59/20`. A day must match both day
/// fields if one of them begins with `*`, and one of the two if neither does. `@yearly`, `@annually`, `@monthly`, `@weekly`,
/// `@daily`, `@midnight` and `@hourly` stand for whole lines.
///
/// Sources: POSIX `crontab`; Debian's `crontab(5)` for names, steps, 7, the words, and what begins with `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    pub(super) minutes: Spec,
    pub(super) hours: Spec,
    pub(super) days: Days,
    /// What the line matches on a clock that is never changed: the union of these.
    schedules: Vec<Schedule>,
}

impl Expression {
    /// The line with single spaces between its fields, and letters as they were given. Parsing it gives the same
    /// expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The least time between two firings, on a clock without daylight saving and within the years 1970 to 2100.
    /// Four years' worth of days for a line that fires on 29 February only.
    #[must_use]
    pub fn shortest_interval(&self) -> Duration {
        let times: Vec<i64> = self
            .hours
            .values
            .iter()
            .flat_map(|hour| self.minutes.values.iter().map(move |minute| i64::from(hour) * 60 + i64::from(minute)))
            .collect();
        let within = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        let last_to_first = times.first().zip(times.last()).map_or(0, |(first, last)| first - last);
        let across = || self.days.least_distance().map(|days| days * MINUTES_PER_DAY + last_to_first);
        let minutes = match within {
            // Nothing is nearer, and the search through the calendar is spared.
            Some(1) => within,
            _ => within.into_iter().chain(across()).min(),
        };
        Duration::from_mins(minutes.and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(0))
    }

    /// Whether the line repeats through the day rather than naming times of it: its hour field begins with `*` or holds
    /// every hour. This decides what a change of the clocks does to it.
    pub(super) const fn repeats(&self) -> bool {
        self.hours.starred || self.hours.full
    }

    /// The first matching time after `after`, on a clock that is never changed. `None` past the year 2100.
    pub(super) fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = after.and_utc();
        self.schedules.iter().filter_map(|schedule| schedule.after(&after).next()).min().map(|next| next.naive_utc())
    }
}

impl FromStr for Expression {
    type Err = Invalid;

    /// Reads a line of at most 256 characters.
    ///
    /// # Errors
    /// When it is not one, or never fires (31 February). The message says which field, why, and what to write instead.
    fn from_str(given: &str) -> Result<Self, Invalid> {
        let Line { text, fields: [minutes, hours, of_month, months, of_week] } = parse::line(given)?;
        let days = Days { of_month, months, of_week };
        if !days.any() {
            return Err(Reason::NeverFires(no_such_day(&days)).into());
        }
        let schedules = schedules(&minutes, &hours, &days)
            .map_err(|error| Reason::Unsupported(error.to_string().chars().take(200).collect()))?;
        Ok(Self { text, minutes, hours, days, schedules })
    }
}

fn no_such_day(days: &Days) -> String {
    let day = days.of_month.values.iter().next().unwrap_or_default();
    match days.months.values.iter().collect::<Vec<_>>()[..] {
        [2] => format!("February has no day {day}"),
        _ => format!("none of its months has a day {day}"),
    }
}

/// The crate asks for both day fields at once, so that a union of the two takes two schedules. Its fields are seconds,
/// minutes, hours, days of the month, months, days of the week from 1 for Sunday, and years.
fn schedules(minutes: &Spec, hours: &Spec, days: &Days) -> Result<Vec<Schedule>, cron::error::Error> {
    let line = |of_month: &str, of_week: &str| {
        let (minutes, hours, months) = (listed(minutes, 0), listed(hours, 0), listed(&days.months, 0));
        Schedule::from_str(&format!("0 {minutes} {hours} {of_month} {months} {of_week} *"))
    };
    let (of_month, of_week) = (listed(&days.of_month, 0), listed(&days.of_week, 1));
    if !days.either() {
        return Ok(vec![line(&of_month, &of_week)?]);
    }
    if days.every() {
        return Ok(vec![line("*", "*")?]);
    }
    let by_week = line("*", &of_week)?;
    // Days that none of the months has would be looked for in vain up to the year 2100, each time.
    if days.months_long_enough() == Set::default() {
        Ok(vec![by_week])
    } else {
        Ok(vec![line(&of_month, "*")?, by_week])
    }
}

fn listed(spec: &Spec, offset: u8) -> String {
    if spec.full {
        return "*".to_owned();
    }
    spec.values.iter().map(|value| (value + offset).to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_never_fires_is_refused() {
        for (line, message) in [
            ("0 0 30 2 *", "this schedule never fires: February has no day 30"),
            ("0 0 30-31 FEB *", "this schedule never fires: February has no day 30"),
            ("0 0 31 4,6,9,11 *", "this schedule never fires: none of its months has a day 31"),
            ("0 0 31 2 */2", "this schedule never fires: February has no day 31"),
        ] {
            assert_eq!(line.parse::<Expression>().unwrap_err().to_string(), message, "{line}");
        }
        for line in ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 1-4 *", "0 0 29 2 */2"] {
            assert!(line.parse::<Expression>().is_ok(), "{line}");
        }
    }

    #[test]
    fn the_shortest_interval_is_exact() {
        let shortest = |line: &str| line.parse::<Expression>().unwrap().shortest_interval();
        let days = |days: u64| Duration::from_hours(24 * days);
        for (line, interval) in [
            ("* * * * *", Duration::from_mins(1)),
            ("*/7 * * * *", Duration::from_mins(4)),
            ("0,1 0 1 1 *", Duration::from_mins(1)),
            ("0 * * * *", Duration::from_hours(1)),
            ("0 23,1 * * *", Duration::from_hours(2)),
            ("0 23,1 * * 1,3", Duration::from_hours(22)),
            ("0 9 * * 1-5", days(1)),
            ("0 9 * * 1", days(7)),
            ("0 0 1,31 * *", days(1)),
            ("0 0 1 * *", days(28)),
            ("0 0 31 * *", days(31)),
            ("0 0 1 1 *", days(365)),
            ("0 0 29 2 *", days(1_461)),
            ("0 0 29 2 */7", days(7 * 1_461)),
            ("0 0 13 * 5", days(1)),
        ] {
            assert_eq!(shortest(line), interval, "{line}");
        }
    }

    #[test]
    fn a_text_is_read_whatever_its_blanks_and_kept_without_them() {
        let expression: Expression = " */5\t9-17 *  jan Mon-FRI ".parse().unwrap();
        assert_eq!(expression.as_str(), "*/5 9-17 * jan Mon-FRI");
        assert_eq!(expression, expression.as_str().parse().unwrap());
    }
}
