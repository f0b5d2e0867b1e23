//! Cursors: where in a list the next part begins, as an opaque word that clients hand back.
//!
//! A cursor is the sort key of the last row seen. So a list neither skips nor repeats a row because others came or went
//! meanwhile, and the hundredth part costs what the first did.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest word that is looked at, in bytes.
const LONGEST: usize = 1024;

/// The word for a place in a list. Empty only where the place cannot be written as JSON, which a sort key always can.
#[must_use]
pub fn encode<T: Serialize>(place: &T) -> String {
    serde_json::to_vec(place).map(|json| URL_SAFE_NO_PAD.encode(json)).unwrap_or_default()
}

/// The place that a word stands for; `None` for what [`encode`] did not make of such a place.
#[must_use]
pub fn decode<T: DeserializeOwned>(word: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(word).ok().filter(|_| word.len() <= LONGEST)?;
    serde_json::from_slice(&json).ok()
}

/// Splits rows, of which one more than `limit` was asked for, into those to show and the cursor behind them.
#[must_use]
pub fn cut<T, C: Serialize>(mut rows: Vec<T>, limit: i64, place: impl Fn(&T) -> C) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or_default();
    if rows.len() <= limit {
        return (rows, None);
    }
    rows.truncate(limit);
    let next = rows.last().map(|row| encode(&place(row)));
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_its_place_and_nothing_else_does() {
        let place = (7_u8, "queue".to_owned());
        assert_eq!(decode::<(u8, String)>(&encode(&place)), Some(place));
        for word in ["", "x", "!!", &encode(&"a text"), &"A".repeat(2 * LONGEST)] {
            assert_eq!(decode::<(u8, String)>(word), None, "{word}");
        }
    }

    #[test]
    fn the_last_part_has_no_cursor() {
        assert_eq!(cut(vec![1, 2, 3], 3, |row| *row), (vec![1, 2, 3], None));
        assert_eq!(cut(vec![1, 2, 3], 2, |row| *row), (vec![1, 2], Some(encode(&2))));
    }
}
