//! The beginning of an answer's body.

use reqwest::Response;
use tokio::time::{Instant, timeout_at};

/// The most bytes of a body that are kept.
const KEPT: usize = 4096;

/// The most bytes of a body that are read. What is short is read to its end, as only then the connection can be used again.
const READ: usize = 64 * 1024;

/// Longer than KEPT by what a character may need that begins before its end.
const ROOM: usize = KEPT + 3;

/// What a body begins with. One that breaks off, never ends or does not come in time is what has come of it: the status has
/// arrived before, and it decides.
pub(super) async fn excerpt(response: &mut Response, deadline: Instant) -> String {
    let mut kept = Vec::new();
    let mut read = 0;
    while read < READ {
        let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await else { break };
        read += chunk.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(ROOM - kept.len())]);
    }
    text(&kept)
}

/// Bytes as text that Postgres takes (it knows no NUL), cut between characters.
fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(KEPT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(text(b"fine"), "fine");
        assert_eq!(text(&[b'a'; ROOM]).len(), KEPT);
        let umlauts = "ü".repeat(KEPT);
        assert_eq!(text(&umlauts.as_bytes()[..ROOM]), "ü".repeat(KEPT / 2));
        let shifted = format!("a{umlauts}");
        assert_eq!(text(&shifted.as_bytes()[..ROOM]), format!("a{}", "ü".repeat(KEPT / 2 - 1)));
    }

    #[test]
    fn what_is_no_text_is_replaced_and_stays_short() {
        assert_eq!(text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        let worst = text(&[0xff; ROOM]);
        assert!(worst.len() <= KEPT && worst.chars().all(|c| c == '\u{fffd}'));
        assert!(text(&[0; ROOM]).len() <= KEPT);
    }
}
