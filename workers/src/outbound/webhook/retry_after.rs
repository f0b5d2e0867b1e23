//! How long an endpoint asks us to wait: `Retry-After` (RFC 9110, 10.2.3), in seconds or as a date.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Nobody is asked again sooner.
const SHORTEST: Duration = Duration::from_secs(5);

/// Nobody makes us wait longer.
const LONGEST: Duration = Duration::from_hours(24);

/// What an answer asks for, within bounds; `None` where it asks for nothing that can be understood. Only 429 and 503 ask: on
/// other statuses the header means something else.
pub(super) fn read(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !matches!(status, 429 | 503) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
        // More digits than fit are a very long time.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        // A date that has passed asks for no wait.
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    /// Sunday, 6 November 1994, 08:49:37, as in RFC 9110.
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn asked(status: u16, value: &[u8]) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_bytes(value).unwrap())]);
        read(status, &headers, SystemTime::UNIX_EPOCH + NOW)
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(asked(429, b"60"), minute);
        assert_eq!(asked(503, b" 60 "), minute);
        assert_eq!(asked(503, b"0060"), minute);
        assert_eq!(asked(429, b"Sun, 06 Nov 1994 08:50:37 GMT"), minute);
        assert_eq!(asked(429, b"Sunday, 06-Nov-94 08:50:37 GMT"), minute);
        assert_eq!(asked(429, b"Sun Nov  6 08:50:37 1994"), minute);
    }

    #[test]
    fn the_wait_has_bounds() {
        for soon in [
            &b"0"[..],
            b"4",
            b"Sun, 06 Nov 1994 08:49:38 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Thu, 01 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(asked(429, soon), Some(SHORTEST));
        }
        for late in [&b"86401"[..], b"18446744073709551616", &[b'9'; 400], b"Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(asked(429, late), Some(LONGEST));
        }
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for nonsense in [
            &b""[..],
            b"-1",
            b"+5",
            b"1.5",
            b"5s",
            b"1e3",
            b"soon",
            b"0x10",
            b"\xff",
            "٣".as_bytes(),
            b"Sun, 31 Feb 1994 08:49:37 GMT",
        ] {
            assert_eq!(asked(429, nonsense), None, "{nonsense:?}");
        }
        assert_eq!(read(429, &HeaderMap::new(), SystemTime::now()), None);
    }

    #[test]
    fn only_two_statuses_ask() {
        for status in [200, 301, 404, 500, 502] {
            assert_eq!(asked(status, b"60"), None, "{status}");
        }
    }
}
