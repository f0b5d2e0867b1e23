//! Running a schedule now, because somebody asks.

use serde_json::json;
use sqlx::PgConnection;

use super::Error;
use super::change::write_down;
use super::start::{Came, Intent, Refusal, start};
use crate::audit::{Action, By};
use crate::db::schedule::{self, Advance, Schedule};
use crate::domain::FiringTrigger;
use crate::ids::ScanId;
use crate::plan::Exceeded;

/// What came of it.
#[derive(Debug)]
pub enum Run {
    /// These scans were started.
    Started(Vec<ScanId>),
    /// None: the organisation has no account to scan.
    NoAccounts,
    /// None: the schedule's last scans have not ended.
    StillRunning,
    /// None: the plan has no room for them.
    PlanLimit(Exceeded),
}

/// Starts the scans of a schedule that the caller has locked, whether or not it is switched on, with the account and regions that it has now.
/// When it fires next stays as it is. Where none was started, the transaction is to be rolled back.
///
/// # Errors
/// See [`Error`].
pub async fn run_now(conn: &mut PgConnection, by: By<'_>, schedule: &Schedule) -> Result<Run, Error> {
    let scheduled_for = schedule::now(conn).await?;
    let intent = Intent {
        schedule,
        trigger: FiringTrigger::Manual,
        scheduled_for,
        missed_count: 0,
        missed_since: None,
        is_stale: false,
    };
    let scans = match start(conn, &[intent]).await?.pop() {
        Some(Came::Started(scans)) => scans,
        Some(Came::Refused(Refusal::NoAccounts)) => return Ok(Run::NoAccounts),
        Some(Came::Refused(Refusal::PlanLimit(exceeded))) => return Ok(Run::PlanLimit(exceeded)),
        // Two requests of one microsecond are one: the other's scans run.
        Some(Came::Refused(Refusal::StillRunning(_) | Refusal::Missed) | Came::Already) | None => {
            return Ok(Run::StillRunning);
        }
    };
    let advance = Advance { id: schedule.id, next_run_at: schedule.next_run_at, started: true, error: None };
    schedule::advance(conn, &[advance]).await?;
    let details = json!({"scan_ids": scans, "filter_regions": schedule.filter_regions});
    write_down(conn, by, (Action::ScheduleRun, schedule), details).await?;
    Ok(Run::Started(scans))
}
