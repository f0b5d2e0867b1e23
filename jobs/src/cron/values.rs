//! Single values: numbers and names, and what is neither.

use super::error::{Problem, quoted, shortened};
use super::fields::Field;

/// A number in ASCII digits. What is too large for the type is its largest value, and out of range everywhere.
pub(super) fn digits(text: &str) -> Option<u8> {
    let written = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    written.then(|| text.parse().unwrap_or(u8::MAX))
}

/// A number or a name.
pub(super) fn value(field: Field, text: &str) -> Result<u8, Problem> {
    let (low, high) = field.bounds();
    if let Some(number) = digits(text) {
        let within = (low..=high).contains(&number);
        return if within { Ok(number) } else { Err(Problem::OutOfRange { found: shortened(text), low, high }) };
    }
    let named = (low..).zip(field.names()).find(|(_, name)| text.eq_ignore_ascii_case(name));
    named.map(|(value, _)| value).ok_or_else(|| unreadable(field, text))
}

fn unreadable(field: Field, text: &str) -> Problem {
    let (low, high) = field.bounds();
    if let Some(without) = text.strip_prefix('+').filter(|rest| digits(rest).is_some()) {
        return Problem::Signed { found: quoted(text), without: shortened(without) };
    }
    if let Some(character) = foreign(field, text) {
        return Problem::Foreign { character, found: quoted(text) };
    }
    let wanted = match field.names() {
        [] => format!("a number from {low} to {high}, in the digits 0 to 9"),
        names => format!("a number from {low} to {high} or one of the names {}", names.join(", ")),
    };
    Problem::NotAValue { found: quoted(text), wanted }
}

/// The character that other programs (Quartz, Jenkins, croniter) give a meaning to, if there is one and it is used so.
/// Letters are told from those of a misspelt name by what is left without them: nothing, a number, or a name.
fn foreign(field: Field, text: &str) -> Option<char> {
    if let Some(character) = text.chars().find(|c| ['?', '#', '%'].contains(c)) {
        return Some(character);
    }
    let upper = text.to_ascii_uppercase();
    let first = upper.chars().next().filter(|c| "LWHR".contains(*c));
    let rest = upper.trim_matches(['L', 'W']);
    let last = upper.chars().last().filter(|c| "LW".contains(*c));
    let plain = |rest: &str| rest.is_empty() || digits(rest).is_some() || field.names().contains(&rest);
    match (first, last) {
        (Some(hash @ ('H' | 'R')), _) if upper.len() == 1 || upper[1..].starts_with('(') => Some(hash),
        (Some(found), _) | (None, Some(found)) if plain(rest) => Some(found),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::cron::parse::line;

    fn refused(text: &str) -> String {
        line(text).unwrap_err().to_string()
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_range() {
        assert_eq!(refused("61 * * * *"), "minute: 61 is out of range, 0 to 59");
        assert_eq!(refused("* 24 * * *"), "hour: 24 is out of range, 0 to 23");
        assert_eq!(refused("* * 0 * *"), "day of month: 0 is out of range, 1 to 31");
        assert_eq!(refused("* * * 1-13 *"), "month: 13 is out of range, 1 to 12");
        assert_eq!(refused("* * * * 1,8"), "day of week: 8 is out of range, 0 to 7");
        assert_eq!(refused("99999999999999999999 * * * *"), "minute: 99999999999999999999 is out of range, 0 to 59");
        assert!(refused(&format!("{} * * * *", "9".repeat(200))).chars().count() < 80);
        assert_eq!(refused("255 * * * *"), "minute: 255 is out of range, 0 to 59");
    }

    #[test]
    fn what_is_not_a_value_is_refused_with_what_would_be() {
        for (text, message) in [
            ("MON * * * *", "minute: \"MON\" is not a number from 0 to 59, in the digits 0 to 9"),
            ("* * * * lundi", "day of week: \"lundi\" is not a number from 0 to 7 or one of the names SUN, MON, TUE"),
            ("* * * Mär *", "month: \"Mär\" is not a number from 1 to 12 or one of the names JAN, FEB, MAR"),
            ("* * * 月 *", "month: \"月\" is not"),
            ("* * * * MONDAY", "one of the names SUN"),
            ("* * * JUNE *", "one of the names JAN"),
            ("５ * * * *", "minute: \"５\" is not a number from 0 to 59, in the digits 0 to 9"),
            ("\u{665} * * * *", "minute: \"\u{665}\" is not"),
            ("+5 * * * *", "minute: \"+5\" is written without a sign: 5"),
            ("-5 * * * *", "minute: \"-5\" is a range with one end missing; write it like 0-59"),
            ("5- * * * *", "minute: \"5-\" is a range with one end missing"),
            ("1-2-3 * * * *", "minute: \"2-3\" is not"),
            ("1\u{2013}5 * * * *", "minute: \"1\u{2013}5\" is not"),
            ("1.5 * * * *", "minute: \"1.5\" is not"),
            ("** * * * *", "minute: \"**\" is not"),
            ("*-5 * * * *", "minute: \"*\" is not"),
            ("1,,2 * * * *", "minute: a value is missing beside a comma"),
            ("1, * * * *", "minute: a value is missing beside a comma"),
            (", * * * *", "minute: a value is missing beside a comma"),
            ("/5 * * * *", "minute: \"\" is not"),
        ] {
            assert!(refused(text).contains(message), "{text:?}: {}", refused(text));
        }
    }

    #[test]
    fn what_other_programs_have_is_refused_as_no_part_of_the_standard() {
        for (text, character) in [
            ("0 0 ? * 1", '?'),
            ("0 0 L * *", 'L'),
            ("0 0 l * *", 'L'),
            ("0 0 L-3 * *", 'L'),
            ("0 0 15W * *", 'W'),
            ("0 0 LW * *", 'L'),
            ("0 0 * * 5L", 'L'),
            ("0 0 * * FRIL", 'L'),
            ("0 0 * * FRI#2", '#'),
            ("0 0 * * 5#2", '#'),
            ("H * * * *", 'H'),
            ("H/15 * * * *", 'H'),
            ("H(0-29)/10 * * * *", 'H'),
            ("R * * * *", 'R'),
            ("0%5 * * * *", '%'),
        ] {
            let message = format!("standard cron has no such character as {character} (in ");
            assert!(refused(text).contains(&message), "{text:?}: {}", refused(text));
        }
    }
}
