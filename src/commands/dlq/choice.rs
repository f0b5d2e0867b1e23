//! Which dead jobs a command means.

use crate::commands::org;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use jobs::domain::DeathReason;
use jobs::queue::dead::Filter;
use sqlx::PgConnection;
use uuid::Uuid;

/// The filters; together they narrow.
#[derive(Debug, clap::Args)]
#[group(id = "choice", multiple = true)]
pub struct Choice {
    /// Only jobs of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Only jobs of this organisation: its id or name; the nil UUID means the platform's own.
    #[arg(long)]
    org: Option<String>,
    /// Only jobs of this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs that died for this reason, such as `attempts_exhausted`.
    #[arg(long)]
    reason: Option<DeathReason>,
    /// Only jobs whose last failure was of this class, such as timeout.
    #[arg(long)]
    error_class: Option<String>,
    /// Only jobs that died since then: RFC 3339, or how long ago (45s, 30m, 2h, 3d).
    #[arg(long, value_parser = moment, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only jobs that died before then: the same forms.
    #[arg(long, value_parser = moment, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

impl Choice {
    /// As the queue takes it.
    pub async fn filter(&self, conn: &mut PgConnection) -> Result<Filter> {
        let tenant = match self.org.as_deref() {
            None => None,
            Some(text) if text.parse().is_ok_and(|id: Uuid| id.is_nil()) => Some(Uuid::nil()),
            Some(text) => Some(org::resolve(conn, text).await?.uuid()),
        };
        Ok(Filter {
            kind: self.kind.clone(),
            tenant,
            queue: self.queue.clone(),
            reason: self.reason,
            error_class: self.error_class.clone(),
            died_since: self.since,
            died_until: self.until,
        })
    }
}

/// A time, or how long ago it was.
fn moment(text: &str) -> Result<DateTime<Utc>, &'static str> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let expected = "neither a time such as 2026-01-31T12:00:00Z nor a duration such as 45s, 30m, 2h or 3d";
    let (digits, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let number: i64 = digits.parse().map_err(|_| expected)?;
    let ago = match unit {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    ago.filter(|ago| *ago >= TimeDelta::zero()).and_then(|ago| Utc::now().checked_sub_signed(ago)).ok_or(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_moments_and_nothing_else_is() {
        assert_eq!(moment("2026-01-31T12:00:00+01:00").unwrap().to_rfc3339(), "2026-01-31T11:00:00+00:00");
        let ago = Utc::now() - moment("3d").unwrap();
        assert!((71..=72).contains(&ago.num_hours()), "{ago}");
        for text in ["", "h", "2", "2w", "-2h", "2 h", "é", "yesterday", "99999999999999999d", "2026-01-31"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
