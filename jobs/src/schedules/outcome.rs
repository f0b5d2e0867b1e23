//! What the scans of a firing come to, for the schedule: counted once all of them have ended.

use serde_json::json;
use sqlx::PgConnection;

use super::change::write_down;
use super::{Error, MOST_FAILURES};
use crate::audit::{Action, Actor, By, Origin};
use crate::db::scan_run::ScanRun;
use crate::db::schedule::{self, ScanCounts, Schedule, Verdict};
use crate::events::record_schedule_disabled;

/// Notes on a scan's schedule how the firing went, if this scan was the last of it to end; to be called in the transaction that ends it. A
/// schedule all of whose scans failed [`MOST_FAILURES`] times in a row is switched off.
///
/// # Errors
/// See [`Error`].
pub async fn scan_ended(conn: &mut PgConnection, run: &ScanRun) -> Result<(), Error> {
    let (Some(id), Some(scheduled_for)) = (run.schedule_id, run.scheduled_for) else {
        return Ok(());
    };
    // Whoever ends another scan of the firing waits here, and then sees this one's end.
    if !schedule::lock_open(conn, id, scheduled_for).await? {
        return Ok(());
    }
    let Some(counts) = schedule::count_scans(conn, id, scheduled_for).await? else {
        return Ok(());
    };
    schedule::conclude(conn, id, scheduled_for, counts.failed).await?;
    let verdict = if counts.failed == counts.all { Verdict::Failed } else { Verdict::Succeeded };
    let error = fault(&counts);
    let after = schedule::count_firing(conn, (run.org_id, id), verdict, error.as_deref()).await?;
    let Some(after) = after.filter(|schedule| schedule.enabled) else {
        return Ok(());
    };
    if after.consecutive_failures < MOST_FAILURES {
        return Ok(());
    }
    let reason = format!(
        "all scans of the last {} firings failed, lastly: {}",
        after.consecutive_failures,
        error.unwrap_or_default()
    );
    disable(conn, &after, &reason).await
}

/// What to tell of a firing's scans; none where all went well.
fn fault(counts: &ScanCounts) -> Option<String> {
    let error = counts.last_error.as_deref()?;
    Some(match counts {
        ScanCounts { all: 1, .. } => error.to_owned(),
        ScanCounts { all, failed, .. } => format!("{failed} of {all} scans failed, one of them: {error}"),
    })
}

/// Switches a schedule off and tells of it.
pub(super) async fn disable(conn: &mut PgConnection, schedule: &Schedule, reason: &str) -> Result<(), Error> {
    let Some(disabled) = schedule::disable(conn, (schedule.org_id, schedule.id), reason).await? else {
        return Ok(());
    };
    record_schedule_disabled(conn, &disabled).await?;
    let by = By { actor: &Actor::platform(), origin: &Origin::default() };
    let details = json!({"reason": reason, "consecutive_failures": disabled.consecutive_failures});
    write_down(conn, by, (Action::ScheduleDisabled, &disabled), details).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_it_is_told_how_many_failed() {
        let counts = |all, failed| ScanCounts { all, failed, last_error: (failed > 0).then(|| "refused".to_owned()) };
        assert_eq!(fault(&counts(3, 0)), None);
        assert_eq!(fault(&counts(1, 1)).unwrap(), "refused");
        assert_eq!(fault(&counts(3, 2)).unwrap(), "2 of 3 scans failed, one of them: refused");
    }
}
