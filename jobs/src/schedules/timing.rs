//! When a schedule fires: at the times of its cron line, each put off by the schedule's own spread.
//!
//! Thousands of schedules name minute 0. The spread, up to 30 s by a hash of the id, keeps them from coming all at once; it is the same
//! at every firing, so that the time between two firings is the line's.

use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::cron::{Expression, Timetable, zone};
use crate::db::schedule::Schedule;
use crate::ids::ScheduleId;

/// The most that a firing is put off by, in seconds.
pub const MOST_SPREAD_S: u64 = 30;
/// Missed firings are counted one by one up to here; more are told as so many.
const MOST_COUNTED: i32 = 10_000;

/// By how much a schedule's firings are put off: whole seconds, 0 to 30.
#[must_use]
pub fn spread(id: ScheduleId) -> TimeDelta {
    let hash = Sha256::digest(id.uuid().as_bytes());
    let number = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    TimeDelta::seconds((number % (MOST_SPREAD_S + 1)).cast_signed())
}

/// A stored line that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its line or its time zone is not understood any more: {0}")]
pub struct Unreadable(String);

/// The timetable of a stored schedule.
///
/// # Errors
/// See [`Unreadable`]; lines are checked before they are stored, so that only a new version of Plumbline can refuse one.
pub fn timetable(schedule: &Schedule) -> Result<Timetable, Unreadable> {
    read(&schedule.schedule, &schedule.timezone)
}

/// The timetable of a stored line and zone.
///
/// # Errors
/// See [`timetable`].
pub fn read(line: &str, timezone: &str) -> Result<Timetable, Unreadable> {
    let line = Expression::from_str(line).map_err(|error| Unreadable(error.to_string()))?;
    let zone = zone(timezone).map_err(|error| Unreadable(error.to_string()))?;
    Ok(Timetable::new(line, zone))
}

/// When a schedule fires next after `now`, its spread included.
#[must_use]
pub fn next_run(timetable: &Timetable, id: ScheduleId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let spread = spread(id);
    timetable.next_after(now - spread).map(|time| time + spread)
}

/// What a schedule that is due has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The newest time of its line that has come.
    pub scheduled_for: DateTime<Utc>,
    /// Times before that which nobody carried out.
    pub missed_count: i32,
    /// The first of those.
    pub missed_since: Option<DateTime<Utc>>,
    /// Whether also the newest is too old: older than the shortest time between two firings.
    pub is_stale: bool,
    /// When it fires next, its spread included.
    pub next_run_at: Option<DateTime<Utc>>,
}

/// What a schedule that was to fire at `run_at`, its spread included, has to do at `now`. However many times have come, it fires once.
#[must_use]
pub fn due(timetable: &Timetable, spread: TimeDelta, run_at: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    let first = run_at - spread;
    let come = now - spread;
    let (mut newest, mut missed_count) = (first, 0);
    let mut next = timetable.next_after(newest);
    while let Some(time) = next.filter(|time| *time <= come) {
        if missed_count == MOST_COUNTED {
            newest = newest_until(timetable, come).unwrap_or(time);
            next = timetable.next_after(newest);
            break;
        }
        missed_count += 1;
        newest = time;
        next = timetable.next_after(newest);
    }
    let age = (come - newest).to_std().unwrap_or_default();
    Due {
        scheduled_for: newest,
        missed_count,
        missed_since: (missed_count > 0).then_some(first),
        is_stale: age >= timetable.shortest_interval(),
        next_run_at: next.map(|time| time + spread),
    }
}

/// The newest time up to `until`, looked for in windows that grow backwards, so that few times are walked.
fn newest_until(timetable: &Timetable, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut window = TimeDelta::from_std(timetable.shortest_interval()).ok()?;
    // 2^32 times a minute is eight thousand years.
    for _ in 0..32 {
        let since = until.checked_sub_signed(window)?;
        if let Some(newest) = timetable.upcoming(since).take_while(|time| *time <= until).last() {
            return Some(newest);
        }
        window = window.checked_mul(2)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn utc(line: &str) -> Timetable {
        Timetable::new(line.parse().unwrap(), chrono_tz::UTC)
    }

    const NONE: TimeDelta = TimeDelta::zero();

    #[test]
    fn spreads_are_even_and_never_more_than_half_a_minute() {
        let mut found = [0_u32; 31];
        for _ in 0..31_000 {
            let spread = spread(ScheduleId::new());
            found[usize::try_from(spread.num_seconds()).unwrap()] += 1;
            assert_eq!(spread.subsec_nanos(), 0);
        }
        assert!(found.iter().all(|count| (800..1_200).contains(count)), "{found:?}");
    }

    #[test]
    fn what_is_on_time_missed_nothing() {
        let due = due(&utc("0 9 * * *"), NONE, at("2026-01-05T09:00:00Z"), at("2026-01-05T09:00:00.004Z"));
        let next_run_at = Some(at("2026-01-06T09:00:00Z"));
        let scheduled_for = at("2026-01-05T09:00:00Z");
        assert_eq!(due, Due { scheduled_for, missed_count: 0, missed_since: None, is_stale: false, next_run_at });
    }

    #[test]
    fn three_missed_days_are_one_firing() {
        let due = due(&utc("0 9 * * *"), NONE, at("2026-01-05T09:00:00Z"), at("2026-01-08T08:59:00Z"));
        assert_eq!(due.scheduled_for, at("2026-01-07T09:00:00Z"));
        assert_eq!((due.missed_count, due.missed_since), (2, Some(at("2026-01-05T09:00:00Z"))));
        assert!(!due.is_stale, "it is not yet a day old");
        assert_eq!(due.next_run_at, Some(at("2026-01-08T09:00:00Z")));
    }

    #[test]
    fn what_is_older_than_the_period_is_not_made_up_for() {
        let friday = at("2026-01-09T09:00:00Z");
        let line = utc("0 9 * * 1-5");
        assert!(!due(&line, NONE, friday, at("2026-01-10T08:59:59Z")).is_stale);
        let late = due(&line, NONE, friday, at("2026-01-10T09:00:00Z"));
        assert!(late.is_stale);
        assert_eq!(late.next_run_at, Some(at("2026-01-12T09:00:00Z")));
    }

    #[test]
    fn the_spread_moves_all_of_it() {
        let (line, spread) = (utc("*/5 * * * *"), TimeDelta::seconds(17));
        let due = due(&line, spread, at("2026-01-05T09:00:17Z"), at("2026-01-05T09:05:16.9Z"));
        assert_eq!((due.scheduled_for, due.missed_count), (at("2026-01-05T09:00:00Z"), 0));
        assert_eq!(due.next_run_at, Some(at("2026-01-05T09:05:17Z")));
        let id = ScheduleId::new();
        let now = at("2026-01-05T09:00:00Z") + super::spread(id);
        let next = next_run(&line, id, now).unwrap();
        assert_eq!(next, now + TimeDelta::minutes(5), "what has come at this moment is over");
        let next = next_run(&line, id, now - TimeDelta::milliseconds(1)).unwrap();
        assert_eq!(next, now, "what is about to come is not passed over by a change just before");
    }

    #[test]
    fn a_year_of_minutes_is_counted_up_to_a_bound_and_its_newest_is_found() {
        for line in ["* * * * *", "0-5 * * * *"] {
            let (since, now) = (at("2026-01-05T09:00:00Z"), at("2027-01-05T09:05:30Z"));
            let due = due(&utc(line), NONE, since, now);
            assert_eq!(due.missed_count, MOST_COUNTED);
            assert_eq!(due.scheduled_for, at("2027-01-05T09:05:00Z"));
            assert!(!due.is_stale && due.next_run_at.is_some_and(|next| next > now));
        }
    }
}
