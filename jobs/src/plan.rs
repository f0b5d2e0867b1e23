//! What each plan allows. The numbers are the contract's where it gives them (accounts, schedules, keys, seats, concurrent
//! scans, retention on Free); request rates, state sources and how often schedules fire are ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::domain::Plan;

/// A number of things; `None` is without limit, which the API writes as -1.
pub type Limit = Option<u32>;

/// The limits of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Cloud accounts.
    pub cloud_accounts: Limit,
    /// API keys that are neither revoked nor past their grace.
    pub api_keys: Limit,
    /// State sources that are not deleted.
    pub state_sources: Limit,
    /// Scan schedules.
    pub schedules: Limit,
    /// The least time between two firings of a schedule.
    pub schedule_interval: Duration,
    /// Members.
    pub seats: Limit,
    /// Scans that are pending or running at a time.
    pub concurrent_scans: Limit,
    /// Requests a minute for each key or person.
    pub requests_per_minute: u32,
    /// How far back the scan history goes; `None` is for ever.
    pub scan_history: Option<Duration>,
}

/// A plan's limits.
#[must_use]
pub const fn limits(plan: Plan) -> Limits {
    match plan {
        Plan::Free => Limits {
            cloud_accounts: Some(1),
            api_keys: Some(2),
            state_sources: Some(3),
            schedules: Some(1),
            schedule_interval: Duration::from_hours(1),
            seats: Some(1),
            concurrent_scans: Some(1),
            requests_per_minute: 100,
            scan_history: Some(Duration::from_hours(24)),
        },
        Plan::Team => Limits {
            cloud_accounts: Some(10),
            api_keys: Some(10),
            state_sources: Some(100),
            schedules: Some(20),
            schedule_interval: Duration::from_mins(15),
            seats: Some(10),
            concurrent_scans: Some(20),
            requests_per_minute: 600,
            scan_history: None,
        },
        Plan::Enterprise => Limits {
            cloud_accounts: None,
            api_keys: None,
            state_sources: None,
            schedules: None,
            schedule_interval: Duration::from_mins(1),
            seats: None,
            concurrent_scans: None,
            requests_per_minute: 3_000,
            scan_history: None,
        },
    }
}

/// A plan's feature flags, as `features` of an organisation lists them.
#[must_use]
pub const fn features(plan: Plan) -> &'static [&'static str] {
    match plan {
        Plan::Free => &[],
        Plan::Team => &["audit_compliance", "glob_state_sources", "slack"],
        Plan::Enterprise => &["audit_compliance", "glob_state_sources", "slack", "sso", "scim"],
    }
}

/// A limit that leaves no room. A job that meets one has this as its failure's details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceeded {
    /// The plan.
    pub plan: Plan,
    /// What it allows.
    pub limit: i64,
    /// What is in use.
    pub used: i64,
}

impl Exceeded {
    /// What a person is told; `what` is counted, in words and in the plural.
    #[must_use]
    pub fn message(&self, what: &str) -> String {
        let Self { plan, limit, used } = self;
        format!("the {plan} plan allows {limit} {what}, and {used} are in use: remove one or choose a larger plan")
    }
}

/// Checks that `limit` has room for `more` beside `used` things.
///
/// # Errors
/// [`Exceeded`] where it has not.
pub fn check_room(plan: Plan, limit: Limit, (used, more): (i64, i64)) -> Result<(), Exceeded> {
    match limit {
        Some(limit) if !has_room(Some(limit), used, more) => Err(Exceeded { plan, limit: limit.into(), used }),
        _ => Ok(()),
    }
}

/// Whether `more` can be added to `used` within `limit`.
#[must_use]
pub fn has_room(limit: Limit, used: i64, more: i64) -> bool {
    limit.is_none_or(|limit| used.saturating_add(more) <= i64::from(limit))
}

/// A schedule that would fire too often for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFrequent {
    /// The plan.
    pub plan: Plan,
    /// The least time between two firings that it allows.
    pub least: Duration,
    /// The least that there would be.
    pub interval: Duration,
}

impl TooFrequent {
    /// What a person is told.
    #[must_use]
    pub fn message(&self) -> String {
        let minutes = |time: Duration| match time.as_secs() / 60 {
            1 => "1 minute".to_owned(),
            minutes => format!("{minutes} minutes"),
        };
        let Self { plan, least, interval } = self;
        format!(
            "the {plan} plan allows one firing of a schedule in {}, and two of this one would be {} apart: let it fire less often or \
             choose a larger plan",
            minutes(*least),
            minutes(*interval)
        )
    }
}

/// Checks that a plan allows firings so close to each other.
///
/// # Errors
/// [`TooFrequent`] where it does not.
pub fn check_interval(plan: Plan, interval: Duration) -> Result<(), TooFrequent> {
    let least = limits(plan).schedule_interval;
    if interval >= least { Ok(()) } else { Err(TooFrequent { plan, least, interval }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_can_be_taken_and_no_more() {
        assert!(has_room(Some(10), 9, 1));
        assert!(!has_room(Some(10), 9, 2));
        assert!(has_room(None, i64::MAX, 1));
    }
}
