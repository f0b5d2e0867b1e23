//! Which dates a line fires on: the two day fields and the month.

use chrono::{Datelike, NaiveDate};

use super::fields::{Set, Spec};

/// The first and the last year that anything fires in: those the `cron` crate knows.
pub(super) const YEARS: (i32, i32) = (1970, 2100);

/// Day of month, month and day of week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) of_month: Spec,
    pub(super) months: Spec,
    pub(super) of_week: Spec,
}

impl Days {
    /// Whether a date needs to match only one of the two day fields. POSIX asks whether both are restricted; Vixie cron
    /// and Debian's look at how they begin: a field that begins with `*` counts as unrestricted, `*/2` among them.
    pub(super) const fn either(&self) -> bool {
        !self.of_month.starred && !self.of_week.starred
    }

    /// Whether every date of the months matches.
    pub(super) const fn every(&self) -> bool {
        if self.either() { self.of_month.full || self.of_week.full } else { self.of_month.full && self.of_week.full }
    }

    pub(super) fn include(&self, date: NaiveDate) -> bool {
        let of_month = self.of_month.values.contains(date.day());
        let of_week = self.of_week.values.contains(date.weekday().num_days_from_sunday());
        self.months.values.contains(date.month())
            && if self.either() { of_month || of_week } else { of_month && of_week }
    }

    /// The months that have one of the days of the month, in a leap year at least.
    pub(super) fn months_long_enough(&self) -> Set {
        let first = self.of_month.values.iter().next().unwrap_or(u8::MAX);
        self.months.values.iter().filter(|&month| first <= longest(month)).collect()
    }

    /// Whether there is any date at all. Every day of the month that exists falls on every day of the week in some year,
    /// 29 February too.
    pub(super) fn any(&self) -> bool {
        self.either() || self.months_long_enough().len() > 0
    }

    /// The least number of days from one date to the next, in the years of [`YEARS`].
    pub(super) fn least_distance(&self) -> Option<i64> {
        let mut least: Option<i64> = None;
        let mut previous: Option<NaiveDate> = None;
        let first = NaiveDate::from_ymd_opt(YEARS.0, 1, 1)?;
        for date in first.iter_days().take_while(|date| date.year() <= YEARS.1).filter(|&date| self.include(date)) {
            if let Some(previous) = previous.replace(date) {
                let distance = (date - previous).num_days();
                least = Some(least.map_or(distance, |least| least.min(distance)));
                if distance == 1 {
                    break;
                }
            }
        }
        least
    }
}

/// Days of a month, in a leap year.
pub(super) const fn longest(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
