//! Sets of numbers in words: lists, runs and steps.

use super::fields::Set;

/// From how many values on a step is named instead of its values.
const STEPS_FROM: usize = 5;

/// `a`, `a and b`, `a, b and c`; `word` stands before the last.
pub(super) fn joined(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// The values with runs of three and more as `a to b`.
pub(super) fn runs(values: &[u8], spelled: impl Fn(u8) -> String) -> Vec<String> {
    values
        .chunk_by(|one, next| one + 1 == *next)
        .flat_map(|run| match run {
            [first, _, .., last] => vec![format!("{} to {}", spelled(*first), spelled(*last))],
            few => few.iter().map(|&value| spelled(value)).collect(),
        })
        .collect()
}

/// First value, distance and last value of a set that is worth naming by its step.
pub(super) fn steps(values: &[u8]) -> Option<(u8, u8, u8)> {
    let (&[first, second, ..], &[.., last]) = (values, values) else { return None };
    let step = second - first;
    let even = step > 1 && values.windows(2).all(|pair| pair[1] - pair[0] == step);
    (even && values.len() >= STEPS_FROM).then_some((first, step, last))
}

/// `minute 5`, `minutes 5, 10 and 20 to 30`, `every 2nd minute from 1 to 59`.
pub(super) fn counted(noun: &str, set: Set) -> String {
    let values: Vec<u8> = set.iter().collect();
    if let Some((first, step, last)) = steps(&values) {
        return format!("every {} {noun} from {first} to {last}", ordinal(step));
    }
    let plural = if values.len() == 1 { "" } else { "s" };
    format!("{noun}{plural} {}", joined(&runs(&values, |value| value.to_string()), "and"))
}

/// `the 1st and 15th`, `every 2nd day from the 1st to the 31st`.
pub(super) fn days_of_month(set: Set) -> String {
    let values: Vec<u8> = set.iter().collect();
    if let Some((first, step, last)) = steps(&values) {
        return format!("every {} day from the {} to the {}", ordinal(step), ordinal(first), ordinal(last));
    }
    format!("the {}", joined(&runs(&values, ordinal), "and"))
}

/// `January`, `June to August and December`.
pub(super) fn months(set: Set) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let name = |month: u8| NAMES.get(usize::from(month) - 1).copied().unwrap_or_default().to_owned();
    joined(&runs(&set.iter().collect::<Vec<_>>(), name), "and")
}

/// The names of the days of the week, Monday first, with runs of three and more as one; and whether there is such a run.
pub(super) fn days_of_week(set: Set, word: &str) -> (String, bool) {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let days: Vec<u8> = (1..=7).filter(|day| set.contains(u32::from(day % 7))).collect();
    let name = |day: u8| NAMES.get(usize::from(day) - 1).copied().unwrap_or_default().to_owned();
    let parts = runs(&days, name);
    let run = parts.len() < days.len();
    (joined(&parts, word), run)
}

/// `1st`, `22nd`.
pub(super) fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number % 100) {
        (1..=3, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_end_as_they_are_spoken() {
        let spoken = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31].map(ordinal).join(" ");
        assert_eq!(spoken, "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 30th 31st");
    }

    #[test]
    fn two_neighbours_are_no_run_and_four_steps_are_listed() {
        assert_eq!(counted("minute", [0, 1, 5, 6, 7].into_iter().collect()), "minutes 0, 1 and 5 to 7");
        assert_eq!(counted("minute", [5, 20, 35, 50].into_iter().collect()), "minutes 5, 20, 35 and 50");
        assert_eq!(counted("hour", [1, 3, 5, 7, 9].into_iter().collect()), "every 2nd hour from 1 to 9");
        assert_eq!(counted("hour", [4].into_iter().collect()), "hour 4");
    }
}
