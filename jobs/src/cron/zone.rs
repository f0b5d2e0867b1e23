//! Time zones by their IANA names.

use chrono_tz::{TZ_VARIANTS, Tz};

use super::error::quoted;

/// A name that is not in the IANA time zone database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {found}; use a name of the IANA database, such as {example}")]
pub struct UnknownZone {
    found: String,
    example: &'static str,
}

/// The zone of an IANA name such as `Europe/Berlin` or `UTC`, by the edition of the database in `chrono-tz`. Names are
/// spelt as they are there, capitals included.
///
/// # Errors
/// When the database has no such name. The message names one that it has: the one meant, if the name is only written in
/// other capitals or is only a city, or else an example.
pub fn zone(name: &str) -> Result<Tz, UnknownZone> {
    name.parse().map_err(|_| UnknownZone { found: quoted(name), example: meant(name).unwrap_or("Europe/Berlin") })
}

/// A zone that the name resembles.
fn meant(name: &str) -> Option<&'static str> {
    let city = name.trim().replace(' ', "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    names()
        .find(|known| known.eq_ignore_ascii_case(&city))
        .or_else(|| names().find(|known| known.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_one_that_is_known() {
        let refused = |name: &str| zone(name).unwrap_err().to_string();
        assert!(refused("Mars/Olympus").contains("such as Europe/Berlin"), "{}", refused("Mars/Olympus"));
        for (name, example) in [
            ("europe/berlin", "Europe/Berlin"),
            ("Tokyo", "Asia/Tokyo"),
            ("new york", "America/New_York"),
            ("utc", "UTC"),
            (" UTC", "UTC"),
        ] {
            assert!(refused(name).ends_with(&format!("such as {example}")), "{name}: {}", refused(name));
        }
        for name in ["", " ", "+02:00", "UTC+2", "CEST", "Europe/Berlin\0", "\u{7}\u{202e}", "月"] {
            let message = refused(name);
            assert!(!message.chars().any(char::is_control), "{message:?}");
        }
        assert!(refused(&"x".repeat(100_000)).len() < 200);
    }

    #[test]
    fn names_of_the_database_are_known() {
        for name in ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kathmandu", "EST5EDT"] {
            assert_eq!(zone(name).unwrap().name(), name);
        }
    }
}
