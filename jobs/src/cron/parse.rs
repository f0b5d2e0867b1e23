//! From a line to the sets of its fields.

use super::error::{LONGEST, Problem, Reason, WORDS, quoted, shortened};
use super::fields::{Field, Set, Spec};
use super::values::{digits, value};

/// A line that is well formed; whether it ever fires is not looked at.
#[derive(Debug)]
pub(super) struct Line {
    /// The line with single spaces between its fields.
    pub(super) text: String,
    /// The fields in their order.
    pub(super) fields: [Spec; 5],
}

/// Reads a line.
pub(super) fn line(given: &str) -> Result<Line, Reason> {
    if given.chars().nth(LONGEST).is_some() {
        return Err(Reason::TooLong);
    }
    let trimmed = given.trim_matches(SEPARATORS);
    if let Some(blank) = trimmed.chars().find(|&c| (c.is_whitespace() || c.is_control()) && !SEPARATORS.contains(&c)) {
        return Err(Reason::Blank(blank));
    }
    let parts: Vec<&str> = trimmed.split(SEPARATORS).filter(|part| !part.is_empty()).collect();
    let text = parts.join(" ");
    if let Some(at) = parts.iter().find(|part| part.starts_with('@')) {
        let words = word(at)?;
        return if parts.len() == 1 {
            Ok(Line { text, fields: fields(&words)? })
        } else {
            Err(Reason::WordAndFields(shortened(at)))
        };
    }
    match <[&str; 5]>::try_from(parts) {
        Ok(five) => Ok(Line { text, fields: fields(&five)? }),
        Err(parts) if parts.is_empty() => Err(Reason::Empty),
        Err(parts) => Err(Reason::Count(parts.len())),
    }
}

const SEPARATORS: [char; 2] = [' ', '\t'];

fn word(given: &str) -> Result<[&'static str; 5], Reason> {
    if given.eq_ignore_ascii_case("@reboot") {
        return Err(Reason::Reboot);
    }
    WORDS
        .iter()
        .find(|(word, _)| given.eq_ignore_ascii_case(word))
        .map(|&(_, fields)| fields)
        .ok_or_else(|| Reason::UnknownWord { found: quoted(given) })
}

fn fields(parts: &[&str; 5]) -> Result<[Spec; 5], Reason> {
    let mut specs = Field::ALL.map(|field| Spec::new(field, Set::default(), false));
    for ((spec, name), text) in specs.iter_mut().zip(Field::ALL).zip(parts) {
        *spec = field(name, text)?;
    }
    Ok(specs)
}

fn field(field: Field, text: &str) -> Result<Spec, Reason> {
    text.split(',')
        .map(|part| item(field, part))
        .try_fold(Set::default(), |all, set| Ok(all.union(set?)))
        .map(|values| Spec::new(field, values, text.starts_with('*')))
        .map_err(|problem| Reason::Field { field, problem })
}

/// What stands between commas: `*`, `a`, `a-b`, and each with a step.
fn item(field: Field, text: &str) -> Result<Set, Problem> {
    if text.is_empty() {
        return Err(Problem::EmptyItem);
    }
    let (base, step) = text.split_once('/').map_or((text, None), |(base, step)| (base, Some(step)));
    let (lowest, highest) = field.bounds();
    let (low, high) = if base == "*" {
        (lowest, highest)
    } else if let Some((from, to)) = base.split_once('-') {
        if from.is_empty() || to.is_empty() {
            return Err(Problem::HalfRange { found: quoted(base), low: lowest, high: highest });
        }
        range(field, base, (from, to), step)?
    } else {
        let only = value(field, base)?;
        // Debian takes a step only after a range. Elsewhere a single value with a step runs to the end of the field.
        (only, if step.is_some() { highest } else { only })
    };
    let distance = step.map_or(Ok(1), |step| number_of_step(field, step))?;
    if field == Field::DayOfWeek && step.is_some() && base != "*" && !base.contains('-') {
        // Whether the end is Saturday or the Sunday after it is read both ways.
        return Err(Problem::StepWithoutRange { found: quoted(text), start: shortened(base), step: distance });
    }
    Ok((low..=high).step_by(usize::from(distance)).map(|value| canonical(field, value)).collect())
}

/// Sunday is 0.
fn canonical(field: Field, value: u8) -> u8 {
    if field == Field::DayOfWeek { value % 7 } else { value }
}

fn range(field: Field, base: &str, (from, to): (&str, &str), step: Option<&str>) -> Result<(u8, u8), Problem> {
    let (low, mut high) = (value(field, from)?, value(field, to)?);
    if field == Field::DayOfWeek && high == 0 && low > 0 {
        high = 7;
    }
    if low <= high {
        return Ok((low, high));
    }
    let distance = step.map_or(Ok(1), |step| number_of_step(field, step))?;
    let named = !from.starts_with(|c: char| c.is_ascii_digit()) && !to.starts_with(|c: char| c.is_ascii_digit());
    Err(Problem::Backwards { found: quoted(base), instead: forwards(field, (low, high), distance, named) })
}

/// How to write a range that runs past the end of the field and goes on at its beginning.
fn forwards(field: Field, (low, high): (u8, u8), distance: u8, named: bool) -> String {
    let spelled = |value: u8| {
        let name = field.names().get(usize::from(canonical(field, value) - field.bounds().0));
        name.filter(|_| named).map_or_else(|| value.to_string(), |name| (*name).to_owned())
    };
    let (lowest, highest) = field.bounds();
    if distance > 1 {
        let around = u16::from(low)..=u16::from(high) + u16::from(field.size());
        let size = u16::from(field.size());
        let values = around.step_by(usize::from(distance)).map(|value| (value - u16::from(lowest)) % size);
        return values
            .filter_map(|value| u8::try_from(value + u16::from(lowest)).ok())
            .map(spelled)
            .collect::<Vec<_>>()
            .join(",");
    }
    let span = |from: u8, to: u8| {
        if from == to { spelled(from) } else { format!("{}-{}", spelled(from), spelled(to)) }
    };
    match (field, low) {
        // Sunday as 7 at the beginning: as 0 the range runs forwards.
        (Field::DayOfWeek, 7) => span(0, high),
        (Field::DayOfWeek, _) => format!("{},{}", span(low, highest), span(1, high)),
        _ => format!("{},{}", span(low, highest), span(lowest, high)),
    }
}

fn number_of_step(field: Field, text: &str) -> Result<u8, Problem> {
    let most = field.size();
    match digits(text) {
        None => Err(Problem::NotAStep { found: quoted(text), most }),
        Some(0) => Err(Problem::StepZero { most }),
        Some(step) if step <= most => Ok(step),
        Some(_) => Err(Problem::StepTooLarge { found: shortened(text), most }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        line(text).unwrap_err().to_string()
    }

    fn values(text: &str, at: usize) -> Vec<u8> {
        line(text).unwrap_or_else(|error| panic!("{text}: {error}")).fields[at].values.iter().collect()
    }

    #[test]
    fn what_is_not_a_line_is_refused_with_the_way_out() {
        for (text, message) in [
            ("", "this one is empty"),
            (" \t ", "this one is empty"),
            ("* * * *", "five fields (minute, hour, day of month, month, day of week), not 4"),
            ("0 * * * * *", "not 6; seconds and years are not supported"),
            ("0 0 12 * * ? 2026", "not 7; seconds and years are not supported"),
            ("* * * *\u{a0}*", "separated by spaces or tabs; the character U+00A0 is neither"),
            ("* * * * *\n", "the character U+000A is neither"),
            ("* * *\0* *", "the character U+0000 is neither"),
            ("@reboot", "@reboot is refused: it names no time"),
            ("@fortnightly", "there is no word \"@fortnightly\"; there are @yearly, @annually, @monthly"),
            ("@", "there is no word \"@\""),
            ("@daily 5", "@daily stands alone"),
            ("0 0 * * @weekly", "@weekly stands alone"),
        ] {
            assert!(refused(text).contains(message), "{text:?}: {}", refused(text));
        }
        assert_eq!(refused(&"* ".repeat(100_000)), "a schedule has at most 256 characters");
        assert_eq!(refused(&"月".repeat(257)), "a schedule has at most 256 characters");
    }

    #[test]
    fn a_step_is_refused_with_the_steps_there_are() {
        for (text, message) in [
            ("*/0 * * * *", "minute: a step of 0 gets nowhere; write 1 to 60, or * for every value"),
            (
                "*/90 * * * *",
                "minute: a step of 90 is more than the 60 values of the field; steps count within the field",
            ),
            ("* */25 * * *", "hour: a step of 25 is more than the 24 values"),
            ("* * * * */8", "day of week: a step of 8 is more than the 7 values"),
            ("*/ * * * *", "minute: \"\" is not a step; write a number from 1 to 60 after one /"),
            ("*/5/2 * * * *", "minute: \"5/2\" is not a step"),
            ("*/+5 * * * *", "minute: \"+5\" is not a step"),
            ("*/MON * * * *", "minute: \"MON\" is not a step"),
            ("* * * * 1/2", "day of week: \"1/2\" has a step but no range, which programs read differently"),
            ("* * * * MON/2", "for days of the week; write MON-6/2 or MON-7/2"),
        ] {
            assert!(refused(text).contains(message), "{text:?}: {}", refused(text));
        }
    }

    #[test]
    fn a_range_that_runs_backwards_is_refused_with_one_that_does_not() {
        for (text, at, instead) in [
            ("50-10 * * * *", 0, "50-59,0-10"),
            ("* 22-6 * * *", 1, "22-23,0-6"),
            ("* 23-0 * * *", 1, "23,0"),
            ("* 22-6/2 * * *", 1, "22,0,2,4,6"),
            ("* 22-6/5 * * *", 1, "22,3"),
            ("* * 28-3 * *", 2, "28-31,1-3"),
            ("* * 30-3/2 * *", 2, "30,1,3"),
            ("* * * NOV-FEB *", 3, "NOV-DEC,JAN-FEB"),
            ("* * * dec-1 *", 3, "12,1"),
            ("* * * * SAT-MON", 4, "SAT-SUN,MON"),
            ("* * * * 6-2", 4, "6-7,1-2"),
            ("* * * * 7-2", 4, "0-2"),
            ("* * * * FRI-TUE/2", 4, "FRI,SUN,TUE"),
        ] {
            let message = refused(text);
            assert!(message.ends_with(&format!("runs backwards; write {instead}")), "{text:?}: {message}");
            let mut parts: Vec<&str> = text.split(' ').collect();
            parts[at] = instead;
            assert!(line(&parts.join(" ")).is_ok(), "the advice {instead} is refused too");
        }
    }

    #[test]
    fn values_lists_ranges_and_steps_are_read() {
        assert_eq!(values("5 * * * *", 0), [5]);
        assert_eq!(values("0005,1,5 * * * *", 0), [1, 5]);
        assert_eq!(values("50-52,*/20,59/5 * * * *", 0), [0, 20, 40, 50, 51, 52, 59]);
        assert_eq!(values("* 5/6 * * *", 1), [5, 11, 17, 23]);
        assert_eq!(values("* 10-20/15 * * *", 1), [10]);
        assert_eq!(values("* * */10 * *", 2), [1, 11, 21, 31]);
        assert_eq!(values("*/60 * * * *", 0), [0]);
        assert_eq!(values("* * * jan-Mar/2,DEC *", 3), [1, 3, 12]);
        assert_eq!(values("* * * * 7", 4), [0]);
        assert_eq!(values("* * * * FRI-SUN", 4), [0, 5, 6]);
        assert_eq!(values("* * * * 5-0,sun", 4), [0, 5, 6]);
        assert_eq!(values("* * * * 1-7/2", 4), [0, 1, 3, 5]);
        assert_eq!(values("* * * * */2", 4), [0, 2, 4, 6]);
        assert_eq!(values("* * * * 0-7", 4), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(values("@weekly", 4), [0]);
        assert_eq!(values("@Hourly", 0), [0]);
    }

    #[test]
    fn a_star_counts_at_the_beginning_only() {
        let flags = |text: &str| line(text).unwrap().fields.map(|spec| (spec.starred, spec.full));
        let expected = [(false, true), (true, false), (false, true), (true, true), (false, true)];
        assert_eq!(flags("5,* */2 1-31 * 0-6"), expected);
    }

    #[test]
    fn blanks_are_single_and_letters_stay_as_they_were() {
        assert_eq!(line(" \t*/5  9-17\t*   jan mon-Fri ").unwrap().text, "*/5 9-17 * jan mon-Fri");
        assert_eq!(line(" @Daily ").unwrap().text, "@Daily");
    }
}
