//! What the services' settings have in common: they are checked when a service is made, and one that cannot be is named with its limits.

use jobs::db::batches::{Pace, ROWS};
use std::time::Duration;

use super::Ground;

/// A setting of a service that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}: {field} is {given}, and must be {least} to {most}")]
pub struct InvalidConfig {
    /// The service.
    pub service: &'static str,
    /// The field; times are in seconds unless it says days.
    pub field: &'static str,
    /// What it is.
    pub given: i64,
    /// The least that it may be.
    pub least: i64,
    /// The most.
    pub most: i64,
}

/// How much is done at a time, and in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Rows of one statement, 1 to 10,000.
    pub rows: u32,
    /// Batches of one run, 1 to 10,000; a run has a minute for each table in any case. The next one goes on.
    pub most: u32,
}

impl Default for Batches {
    /// A thousand rows, some milliseconds' work; the minute ends a run.
    fn default() -> Self {
        Self { rows: u32::try_from(ROWS).unwrap_or(u32::MAX), most: 10_000 }
    }
}

impl Batches {
    /// The pace of a service.
    pub(super) fn pace(self, service: &'static str, ground: &Ground) -> Pace {
        Pace { batches: self.most, ..Pace::new(service, self.rows.into(), &ground.turn) }
    }
}

/// Checks the settings of one service.
pub(super) struct Check(pub &'static str);

impl Check {
    /// What nearly every service has: the time between two runs, a second to a day, and batches.
    pub(super) fn usual(&self, every: Duration, batches: Batches) -> Result<(), InvalidConfig> {
        self.every(every)?;
        self.number("batches.rows", batches.rows.into(), (1, 10_000))?;
        self.number("batches.most", batches.most.into(), (1, 10_000))
    }

    pub(super) fn every(&self, every: Duration) -> Result<(), InvalidConfig> {
        self.seconds("every", every, (1, 24 * 60 * 60))
    }

    pub(super) fn seconds(
        &self,
        field: &'static str,
        given: Duration,
        limits: (i64, i64),
    ) -> Result<(), InvalidConfig> {
        self.number(field, i64::try_from(given.as_secs()).unwrap_or(i64::MAX), limits)
    }

    pub(super) fn days(&self, field: &'static str, given: u16) -> Result<(), InvalidConfig> {
        self.number(field, given.into(), (1, 3_650))
    }

    pub(super) fn number(
        &self,
        field: &'static str,
        given: i64,
        (least, most): (i64, i64),
    ) -> Result<(), InvalidConfig> {
        if (least..=most).contains(&given) {
            return Ok(());
        }
        Err(InvalidConfig { service: self.0, field, given, least, most })
    }
}
