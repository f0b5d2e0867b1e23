//! Properties over random lines, zones and instants, against a matcher that is as plain as can be: it looks at every
//! minute, and knows neither the `cron` crate nor what local times are called.

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{Expression, Timetable};

const ZONES: [Tz; 10] = [
    Tz::UTC,
    Tz::America__New_York,
    Tz::Europe__Berlin,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Cairo,
    Tz::Asia__Kathmandu,
    Tz::Asia__Beirut,
    Tz::Pacific__Apia,
    Tz::America__Sao_Paulo,
    Tz::Europe__London,
];

/// How far the plain matcher looks.
const HORIZON_MINUTES: i64 = 2 * 24 * 60;

/// A line taken apart in the plainest way: which values each field has, and which fields begin with `*`.
struct Plain {
    fields: Vec<Vec<u32>>,
    starred: Vec<bool>,
}

impl Plain {
    fn of(line: &str) -> Self {
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
        let fields = line
            .split(' ')
            .zip(bounds)
            .map(|(field, bounds)| field.split(',').flat_map(|item| Self::item(item, bounds)).collect::<Vec<u32>>());
        Self { fields: fields.collect(), starred: line.split(' ').map(|field| field.starts_with('*')).collect() }
    }

    fn item(item: &str, (low, high): (u32, u32)) -> Vec<u32> {
        let (base, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match (base, base.split_once('-')) {
            ("*", _) => (low, high),
            (_, Some((from, to))) => (from.parse().unwrap(), to.parse().unwrap()),
            (only, None) => (only.parse().unwrap(), if item.contains('/') { high } else { only.parse().unwrap() }),
        };
        (from..=to).step_by(step.parse().unwrap()).collect()
    }

    fn matches(&self, at: NaiveDateTime) -> bool {
        let weekday = at.weekday().num_days_from_sunday();
        let of_week = self.fields[4].contains(&weekday) || (weekday == 0 && self.fields[4].contains(&7));
        let of_month = self.fields[2].contains(&at.day());
        let either = !self.starred[2] && !self.starred[4];
        self.fields[0].contains(&at.minute())
            && self.fields[1].contains(&at.hour())
            && self.fields[3].contains(&at.month())
            && if either { of_month || of_week } else { of_month && of_week }
    }

    fn repeats(&self) -> bool {
        self.starred[1] || (0..24).all(|hour| self.fields[1].contains(&hour))
    }

    /// Whether the line fires in the minute that begins at `at`.
    fn fires(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let shown = |at: DateTime<Utc>| zone.from_utc_datetime(&at.naive_utc()).naive_local();
        let now = shown(at);
        if self.repeats() {
            return self.matches(now);
        }
        let before = shown(at - Duration::minutes(1));
        let skipped =
            (1..(now - before).num_minutes()).any(|minutes| self.matches(before + Duration::minutes(minutes)));
        let seen = || (1..=180).any(|minutes| shown(at - Duration::minutes(minutes)) == now);
        skipped || (self.matches(now) && !seen())
    }

    fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let minute = after.with_second(0).unwrap().with_nanosecond(0).unwrap();
        (1..=HORIZON_MINUTES).map(|minutes| minute + Duration::minutes(minutes)).find(|&at| self.fires(at, zone))
    }
}

fn item(low: u32, high: u32, may_step_alone: bool) -> impl Strategy<Value = String> {
    let size = high - low + 1;
    (0..12_u32, low..=high, low..=high, 1..size).prop_map(move |(kind, a, b, step)| match kind {
        0 => "*".to_owned(),
        1 | 2 => format!("*/{step}"),
        3 | 4 => format!("{}-{}", a.min(b), a.max(b)),
        5 => format!("{}-{}/{step}", a.min(b), a.max(b)),
        6 if may_step_alone => format!("{a}/{step}"),
        _ => a.to_string(),
    })
}

fn field(low: u32, high: u32, may_step_alone: bool) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        4 => prop::collection::vec(item(low, high, may_step_alone), 1..4).prop_map(|items| items.join(",")),
    ]
}

/// Lines of numbers that are well formed; some never fire.
pub(super) fn lines() -> impl Strategy<Value = String> {
    let hours = prop_oneof![4 => field(0, 23, true), 4 => field(0, 3, false), 1 => Just("0-23".to_owned())];
    let months = prop_oneof![3 => Just("*".to_owned()), 1 => field(1, 12, true)];
    (field(0, 59, true), hours, field(1, 31, true), months, field(0, 6, false))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// Lines that fire on most days: every other one has only stars for its dates.
fn frequent_lines() -> impl Strategy<Value = String> {
    (lines(), any::<bool>()).prop_map(|(line, daily)| match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [minute, hour, _] if daily => format!("{minute} {hour} * * *"),
        _ => line,
    })
}

/// Instants of the years 2011 to 2040: a quarter of them anywhere, a quarter within two days of a change of the zone's
/// clocks, and half within two hours of one.
fn instants() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    let begin = DateTime::from_timestamp(1_293_840_000, 0).unwrap();
    let near = -7_200..7_200_i64;
    let around = prop_oneof![1 => Just(None), 1 => (-48 * 3_600..3_600_i64).prop_map(Some), 2 => near.prop_map(Some)];
    (prop::sample::select(&ZONES[..]), 0..30 * 365 * 86_400_i64, around).prop_map(move |(zone, second, around)| {
        let offset = |at: DateTime<Utc>| zone.from_utc_datetime(&at.naive_utc()).naive_local() - at.naive_utc();
        let at = begin + Duration::seconds(second);
        let days = (0..400).map(|days| at + Duration::days(days));
        let minutes = |day: DateTime<Utc>| (1..=24 * 60).map(move |minutes| day + Duration::minutes(minutes));
        let change = || {
            let day = days.clone().find(|&at| offset(at) != offset(at + Duration::days(1)))?;
            minutes(day).find(|&at| offset(at) != offset(day))
        };
        (zone, around.and_then(|around| Some(change()? + Duration::seconds(around))).unwrap_or(at))
    })
}

proptest! {
    #[test]
    fn the_next_firing_is_that_of_a_walk_through_every_minute(line in frequent_lines(), (zone, start) in instants()) {
        if let Ok(expression) = line.parse::<Expression>() {
            let plain = Plain::of(&line);
            let timetable = Timetable::new(expression, zone);
            let mut after = start;
            for _ in 0..3 {
                let next = timetable.next_after(after);
                let walked = plain.next_after(after, zone);
                let within = next.filter(|&next| next <= after + Duration::minutes(HORIZON_MINUTES - 1));
                prop_assert!(
                    walked == next || (within.is_none() && walked.is_none_or(|walked| Some(walked) == next)),
                    "{line} in {zone} after {after}: {next:?}, walked to {walked:?}"
                );
                match walked {
                    Some(walked) => after = walked,
                    None => break,
                }
            }
        }
    }

    #[test]
    fn a_line_that_never_fires_is_refused_and_no_other(line in lines()) {
        let plain = Plain::of(&line);
        let mut dates = DateTime::UNIX_EPOCH.date_naive().iter_days().take(131 * 366);
        let (hour, minute) = (plain.fields[1][0], plain.fields[0][0]);
        let fires = dates.any(|date| plain.matches(date.and_hms_opt(hour, minute, 0).unwrap()));
        match line.parse::<Expression>() {
            Ok(_) => prop_assert!(fires, "{line} never fires"),
            Err(error) => prop_assert!(!fires && error.to_string().contains("never fires"), "{line}: {error}"),
        }
    }

    #[test]
    fn no_input_makes_it_panic(text in any::<String>()) {
        if let Err(error) = text.parse::<Expression>() {
            let message = error.to_string();
            prop_assert!(!message.is_empty() && message.chars().count() < 400 && !message.chars().any(char::is_control));
        }
    }

    #[test]
    fn nothing_that_looks_like_a_line_makes_it_panic(text in "[-0-9*/,@A-Za-z ?#+]{0,40}( [-0-9*/,LWH]{1,8}){0,5}") {
        if let Err(error) = text.parse::<Expression>() {
            prop_assert!(error.to_string().chars().count() < 400, "{error}");
        }
    }

    #[test]
    fn what_it_gives_back_reads_the_same(line in lines(), blanks in "[ \t]{1,3}") {
        let spread = format!("{blanks}{}{blanks}", line.replace(' ', &blanks));
        if let Ok(expression) = spread.parse::<Expression>() {
            prop_assert_eq!(expression.as_str(), &line);
            prop_assert_eq!(expression.as_str().parse::<Expression>().unwrap(), expression);
        }
    }

    #[test]
    fn every_instant_of_the_calendar_has_an_answer(line in lines(), zone in prop::sample::select(&ZONES[..]), seconds in any::<i64>()) {
        let after = DateTime::from_timestamp(seconds % 8_000_000_000_000, 999_999_999).unwrap_or(DateTime::<Utc>::MAX_UTC);
        if let Ok(expression) = line.parse::<Expression>() {
            let next = Timetable::new(expression, zone).next_after(after);
            prop_assert!(next.is_none_or(|next| next > after));
        }
    }

    /// All days from 1970 to 2100 are looked at. Times of a day are the same on each.
    #[test]
    fn the_shortest_interval_is_the_least_between_firings(line in lines()) {
        if let Ok(expression) = line.parse::<Expression>() {
            let plain = Plain::of(&line);
            let times: Vec<i64> = (0..24 * 60_u32)
                .filter(|time| plain.fields[1].contains(&(time / 60)) && plain.fields[0].contains(&(time % 60)))
                .map(i64::from)
                .collect();
            let (hour, minute) = (plain.fields[1][0], plain.fields[0][0]);
            let days: Vec<i64> = (DateTime::UNIX_EPOCH.date_naive().iter_days())
                .take_while(|date| date.year() <= 2100)
                .zip(0..)
                .filter(|(date, _)| plain.matches(date.and_hms_opt(hour, minute, 0).unwrap()))
                .map(|(_, day)| day)
                .collect();
            let within = times.windows(2).map(|pair| pair[1] - pair[0]);
            let across = days.windows(2).map(|pair| (pair[1] - pair[0]) * 24 * 60 + times[0] - times[times.len() - 1]);
            let least = within.chain(across).min().unwrap();
            prop_assert_eq!(expression.shortest_interval().as_secs(), u64::try_from(least).unwrap() * 60, "{}", line);
        }
    }
}
