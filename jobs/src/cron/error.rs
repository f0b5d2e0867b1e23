//! Why a line is refused, in words for the person who wrote it.

use super::fields::Field;

/// Characters that a line may have.
pub(super) const LONGEST: usize = 256;

/// Characters of the input that a message repeats.
const QUOTED: usize = 40;

/// The words that stand for whole lines, and the lines, as `crontab(5)` has them. `@reboot` is not a line.
pub(super) const WORDS: [(&str, [&str; 5]); 7] = [
    ("@yearly", ["0", "0", "1", "1", "*"]),
    ("@annually", ["0", "0", "1", "1", "*"]),
    ("@monthly", ["0", "0", "1", "*", "*"]),
    ("@weekly", ["0", "0", "*", "*", "0"]),
    ("@daily", ["0", "0", "*", "*", "*"]),
    ("@midnight", ["0", "0", "*", "*", "*"]),
    ("@hourly", ["0", "*", "*", "*", "*"]),
];

/// A line that is not a schedule. Its text names the field and the way out, and is fit to show to whoever wrote the line:
/// it repeats at most some forty characters of it, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Invalid(#[from] Reason);

/// What [`Invalid`] says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("a schedule has at most {LONGEST} characters")]
    TooLong,
    #[error("a schedule has five fields, such as \"0 9 * * 1-5\" ({FIELDS}); this one is empty")]
    Empty,
    #[error("a schedule has five fields ({FIELDS}), not {0}{hint}", hint = if *.0 > 5 { "; seconds and years are not supported" } else { "" })]
    Count(usize),
    #[error("fields are separated by spaces or tabs; the character U+{code:04X} is neither", code = u32::from(*.0))]
    Blank(char),
    #[error("there is no word {found}; there are {known}", known = WORDS.map(|(word, _)| word).join(", "))]
    UnknownWord { found: String },
    #[error("{0} stands alone, without fields before or after it")]
    WordAndFields(String),
    #[error(
        "@reboot is refused: it names no time, and there is no machine here whose start it could mean; use @daily or five fields"
    )]
    Reboot,
    #[error("{field}: {problem}")]
    Field { field: Field, problem: Problem },
    #[error("this schedule never fires: {0}")]
    NeverFires(String),
    /// The `cron` crate does not take the sets. No line is known to lead here.
    #[error("this schedule cannot be computed: {0}")]
    Unsupported(String),
}

const FIELDS: &str = "minute, hour, day of month, month, day of week";

/// What is wrong with one field. Quoted input has been through [`quoted`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("a value is missing beside a comma")]
    EmptyItem,
    #[error("{found} is out of range, {low} to {high}")]
    OutOfRange { found: String, low: u8, high: u8 },
    #[error("{found} is not {wanted}")]
    NotAValue { found: String, wanted: String },
    #[error("{found} is written without a sign: {without}")]
    Signed { found: String, without: String },
    #[error("standard cron has no such character as {character} (in {found}); list the values instead")]
    Foreign { character: char, found: String },
    #[error("{found} is a range with one end missing; write it like {low}-{high}")]
    HalfRange { found: String, low: u8, high: u8 },
    #[error("{found} runs backwards; write {instead}")]
    Backwards { found: String, instead: String },
    #[error("{found} is not a step; write a number from 1 to {most} after one /")]
    NotAStep { found: String, most: u8 },
    #[error("a step of 0 gets nowhere; write 1 to {most}, or * for every value")]
    StepZero { most: u8 },
    #[error(
        "a step of {found} is more than the {most} values of the field; steps count within the field, so write 1 to {most}"
    )]
    StepTooLarge { found: String, most: u8 },
    #[error(
        "{found} has a step but no range, which programs read differently for days of the week; write {start}-6/{step} or {start}-7/{step}"
    )]
    StepWithoutRange { found: String, start: String, step: u8 },
}

/// The beginning of `text` in quotation marks, fit for a message: control characters and those that turn or hide the text
/// around them are replaced.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// As [`quoted`], without the marks: for numbers.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED).map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(QUOTED).is_some() {
        short.push('…');
    }
    short
}

/// Control characters, line separators, and the invisible marks of the Unicode blocks "General Punctuation" and "Specials".
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_short_and_shows_no_control_characters() {
        assert_eq!(quoted(&"x".repeat(500)), format!("\"{}…\"", "x".repeat(QUOTED)));
        assert_eq!(quoted("a\u{7}b\u{202e}c\u{feff}\n"), "\"a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}\"");
        assert_eq!(quoted("月"), "\"月\"");
    }
}
