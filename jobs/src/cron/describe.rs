//! A timetable as a sentence.
//!
//! The sentence says what the fields mean, not how they were written: `0 9 * * 1-3` and `0 9 * * MON,TUE,WED` read the
//! same, and lines that fire at different times never do. What a change of the clocks does is left out.

use chrono_tz::Tz;

use super::days::longest;
use super::expression::Expression;
use super::next::Timetable;
use super::phrases::{counted, days_of_month, days_of_week, joined, months, steps};

/// Times of day that are listed rather than put into other words, where there are other words.
const FEW_TIMES: usize = 6;

/// Times of day that are listed at all.
const MOST_TIMES: usize = 12;

/// From how many hours on a run with one minute is `Every hour from … to …`.
const HOURLY_FROM: usize = 4;

impl Timetable {
    /// The timetable in words, as a sentence of English: "At 09:00 on Monday to Friday, Europe/Berlin time."
    #[must_use]
    pub fn describe(&self) -> String {
        let place = if self.zone == Tz::UTC { "UTC".to_owned() } else { format!("{} time", self.zone.name()) };
        let days = days(&self.expression);
        let gap = if days.is_empty() { "" } else { " " };
        format!("{}{gap}{days}, {place}.", times(&self.expression))
    }
}

/// When on a day.
fn times(expression: &Expression) -> String {
    let minutes: Vec<u8> = expression.minutes.values.iter().collect();
    let hours: Vec<u8> = expression.hours.values.iter().collect();
    let minutes_counted = || counted("minute", expression.minutes.values);
    let every = every(&minutes);
    if expression.hours.full {
        return every.unwrap_or_else(|| format!("At {} of every hour", minutes_counted()));
    }
    if let Some(span) = spanned(&minutes, &hours, every.as_deref()) {
        return span;
    }
    let count = minutes.len() * hours.len();
    let stepped = steps(&hours).filter(|_| minutes.len() == 1 && count > FEW_TIMES);
    if let Some((first, step, last)) = stepped {
        return format!("Every {step} hours from {} to {}", clock(first, minutes[0]), clock(last, minutes[0]));
    }
    if count <= MOST_TIMES {
        let all = hours.iter().flat_map(|&hour| minutes.iter().map(move |&minute| clock(hour, minute)));
        return format!("At {}", joined(&all.collect::<Vec<_>>(), "and"));
    }
    let hours = counted("hour", expression.hours.values);
    let hours = if hours.starts_with("every") { hours } else { format!("the {hours}") };
    match every {
        Some(every) => format!("{every} during {hours}"),
        None => format!("At {} past {hours}", minutes_counted()),
    }
}

/// `Every minute`, or `Every 15 minutes` if the distance is the same over the end of the hour.
fn every(minutes: &[u8]) -> Option<String> {
    let (&first, &second) = (minutes.first()?, minutes.get(1)?);
    let step = second - first;
    let multiples = first == 0 && 60 % step == 0 && minutes.iter().copied().eq((0..60).step_by(usize::from(step)));
    multiples.then(|| if step == 1 { "Every minute".to_owned() } else { format!("Every {step} minutes") })
}

/// Times that follow each other evenly through one stretch of the day.
fn spanned(minutes: &[u8], hours: &[u8], every: Option<&str>) -> Option<String> {
    let (&[first_hour, ..], &[.., last_hour]) = (hours, hours) else { return None };
    let (&[first_minute, ..], &[.., last_minute]) = (minutes, minutes) else { return None };
    if hours.windows(2).any(|pair| pair[0] + 1 != pair[1]) {
        return None;
    }
    let consecutive = minutes.len() > 2 && minutes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let pace = match every {
        Some(every) if minutes.len() * hours.len() > 4 => every.to_owned(),
        _ if minutes.len() == 1 && hours.len() >= HOURLY_FROM => "Every hour".to_owned(),
        _ if hours.len() == 1 && consecutive => "Every minute".to_owned(),
        _ if hours.len() == 1 => format!("Every {} minutes", steps(minutes)?.1),
        _ => return None,
    };
    Some(format!("{pace} from {} to {}", clock(first_hour, first_minute), clock(last_hour, last_minute)))
}

fn clock(hour: u8, minute: u8) -> String {
    format!("{hour:02}:{minute:02}")
}

/// On which days; empty for a line that repeats through every day of the year.
fn days(expression: &Expression) -> String {
    let days = &expression.days;
    let within = || if days.months.full { String::new() } else { format!(" in {}", months(days.months.values)) };
    if days.every() {
        let every = if expression.hours.full { "" } else { "every day" };
        return format!("{every}{}", within()).trim_start().to_owned();
    }
    let (names, run) = days_of_week(days.of_week.values, "and");
    let of_week = if run { format!("on {names}") } else { format!("on every {names}") };
    let of_month = days_of_month(days.of_month.values);
    if days.either() {
        let comma = if days.months.full { "" } else { "," };
        // Days that none of the months has are left out: they would be heard as a promise.
        if days.months_long_enough().len() == 0 {
            return format!("{of_week}{}", within());
        }
        return format!("on {of_month} of the month, and {of_week}{comma}{}", within());
    }
    if days.of_month.full {
        return format!("{of_week}{}", within());
    }
    let on = format!("on {of_month} of {}", months_with(expression));
    if days.of_week.full {
        return on;
    }
    let (names, _) = days_of_week(days.of_week.values, "or");
    format!("{on}, only if it falls on {names}")
}

/// The months that have one of the days of the month.
fn months_with(expression: &Expression) -> String {
    let days = &expression.days;
    let long_enough = days.months_long_enough();
    if !days.months.full {
        return months(long_enough);
    }
    let first = days.of_month.values.iter().next().unwrap_or_default();
    let rare = days.of_month.values.len() == 1 && first >= longest(2);
    if rare { "every month that has one".to_owned() } else { "every month".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;
    use crate::cron::tests::lines;
    use crate::cron::zone;

    fn described(line: &str, in_zone: &str) -> String {
        Timetable::new(line.parse().unwrap(), zone(in_zone).unwrap()).describe()
    }

    #[test]
    fn usual_lines_read_as_they_would_be_said() {
        for (line, words) in [
            ("* * * * *", "Every minute"),
            ("*/15 * * * *", "Every 15 minutes"),
            ("0,30 * * * *", "Every 30 minutes"),
            ("5 * * * *", "At minute 5 of every hour"),
            ("@hourly", "At minute 0 of every hour"),
            ("5/15 * * * *", "At minutes 5, 20, 35 and 50 of every hour"),
            ("*/7 * * * *", "At every 7th minute from 0 to 56 of every hour"),
            ("10-20 * * * *", "At minutes 10 to 20 of every hour"),
            ("0 0-23 * * *", "At minute 0 of every hour"),
            ("0 9 * * *", "At 09:00 every day"),
            ("0 9,12,15 * * *", "At 09:00, 12:00 and 15:00 every day"),
            ("0 */6 * * *", "At 00:00, 06:00, 12:00 and 18:00 every day"),
            ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00 every day"),
            ("15 1-23/2 * * *", "Every 2 hours from 01:15 to 23:15 every day"),
            ("0 6-22 * * *", "Every hour from 06:00 to 22:00 every day"),
            ("30 9-17 * * MON-FRI", "Every hour from 09:30 to 17:30 on Monday to Friday"),
            ("*/10 9-17 * * 1-5", "Every 10 minutes from 09:00 to 17:50 on Monday to Friday"),
            ("* 2 * * *", "Every minute from 02:00 to 02:59 every day"),
            ("*/7 2 * * *", "Every 7 minutes from 02:00 to 02:56 every day"),
            ("0-29 9 * * *", "Every minute from 09:00 to 09:29 every day"),
            ("0,30 9 * * *", "At 09:00 and 09:30 every day"),
            (
                "*/15 1,3,8 * * *",
                "At 01:00, 01:15, 01:30, 01:45, 03:00, 03:15, 03:30, 03:45, 08:00, 08:15, 08:30 and 08:45 every day",
            ),
            ("*/10 1,3,8 * * *", "Every 10 minutes during the hours 1, 3 and 8 every day"),
            ("1,2,5 1-3,8,20 * * *", "At minutes 1, 2 and 5 past the hours 1 to 3, 8 and 20 every day"),
            ("5,10 */2 * * *", "At minutes 5 and 10 past every 2nd hour from 0 to 22 every day"),
            ("0 9 * * 1", "At 09:00 on every Monday"),
            ("0 9 * * 7,6", "At 09:00 on every Saturday and Sunday"),
            ("0 9 * * FRI-SUN", "At 09:00 on Friday to Sunday"),
            ("0 9 * * 1-3,5", "At 09:00 on Monday to Wednesday and Friday"),
            ("*/5 * * * 1", "Every 5 minutes on every Monday"),
            ("0 0 1 * *", "At 00:00 on the 1st of every month"),
            ("0 0 1-7,15 * *", "At 00:00 on the 1st to 7th and 15th of every month"),
            ("0 0 31 * *", "At 00:00 on the 31st of every month that has one"),
            ("0 0 28 * *", "At 00:00 on the 28th of every month"),
            ("0 0 31 4-7 *", "At 00:00 on the 31st of May and July"),
            ("0 0 29 2 *", "At 00:00 on the 29th of February"),
            ("@yearly", "At 00:00 on the 1st of January"),
            ("0 0 1 */3 *", "At 00:00 on the 1st of January, April, July and October"),
            ("0 9 * 6-8 *", "At 09:00 every day in June to August"),
            ("*/5 * * 6 *", "Every 5 minutes in June"),
            ("0 9 * 6 1-5", "At 09:00 on Monday to Friday in June"),
            ("0 9 */2 * *", "At 09:00 on every 2nd day from the 1st to the 31st of every month"),
        ] {
            assert_eq!(described(line, "UTC"), format!("{words}, UTC."), "{line}");
        }
        assert_eq!(described("0 9 * * 1-5", "Europe/Berlin"), "At 09:00 on Monday to Friday, Europe/Berlin time.");
    }

    #[test]
    fn the_two_day_fields_read_as_either_or_as_both() {
        for (line, words) in [
            ("30 4 1,15 * 5", "At 04:30 on the 1st and 15th of the month, and on every Friday"),
            ("30 4 1,15 * 1-5", "At 04:30 on the 1st and 15th of the month, and on Monday to Friday"),
            ("30 4 1 1,7 5", "At 04:30 on the 1st of the month, and on every Friday, in January and July"),
            ("0 0 31 2 1", "At 00:00 on every Monday in February"),
            ("0 0 1-31 * 1", "At 00:00 every day"),
            ("0 0 1 * 0-6", "At 00:00 every day"),
            (
                "0 0 1 * */2",
                "At 00:00 on the 1st of every month, only if it falls on Tuesday, Thursday, Saturday or Sunday",
            ),
            ("0 0 */2 6 1", "At 00:00 on every 2nd day from the 1st to the 31st of June, only if it falls on Monday"),
        ] {
            assert_eq!(described(line, "UTC"), format!("{words}, UTC."), "{line}");
        }
    }

    proptest! {
        #[test]
        fn lines_that_fire_differently_read_differently(lines in prop::collection::vec(lines(), 100)) {
            let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
            let mut meanings = HashMap::new();
            for line in lines {
                let Ok(expression) = line.parse::<Expression>() else { continue };
                let fires = |date: &NaiveDate| expression.days.include(*date);
                let dates: Vec<NaiveDate> = first.iter_days().take(1_500).filter(fires).collect();
                let meaning = (expression.minutes.values, expression.hours.values, dates);
                let words = Timetable::new(expression, Tz::UTC).describe();
                prop_assert!(words.ends_with(", UTC.") && !words.contains("  ") && !words.contains(" ,"), "{line}: {words}");
                let known = meanings.entry(words.clone()).or_insert_with(|| (meaning.clone(), line.clone()));
                prop_assert!(known.0 == meaning, "{line} and {} both read {words}", known.1);
            }
        }
    }
}
