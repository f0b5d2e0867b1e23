//! What schedulers do: fire whatever is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::change::target;
use super::start::{Came, Intent, start};
use super::timing::{Due, due, spread, timetable};
use super::{Error, outcome};
use crate::audit::{Action, Actor, ActorKind, By, Entry, Origin, append_many};
use crate::db::schedule::{self, Advance, Schedule};
use crate::domain::FiringTrigger;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fired {
    /// Firings that started scans.
    pub started: usize,
    /// Scans that they started.
    pub scans: usize,
    /// Firings that started none.
    pub refused: usize,
    /// Schedules that were switched off because their line is not understood any more.
    pub unreadable: usize,
    /// How late each was when its transaction began, by the database's clock.
    pub lateness: Vec<Duration>,
    /// Whether there may be more that is due.
    pub is_full: bool,
}

/// A due schedule with what it has to do.
struct Ready {
    schedule: Schedule,
    due: Due,
}

/// Fires up to `limit` schedules that are due and that nobody else is firing, in one transaction.
///
/// # Errors
/// See [`Error`]; then nothing was fired.
pub async fn fire_due(conn: &mut PgConnection, limit: u16) -> Result<Fired, Error> {
    let mut tx = conn.begin().await?;
    let schedules = schedule::due(&mut tx, limit.into()).await?;
    if schedules.is_empty() {
        return Ok(Fired::default());
    }
    let mut fired = Fired { is_full: schedules.len() == usize::from(limit), ..Fired::default() };
    let now = schedule::now(&mut tx).await?;
    let (mut ready, mut unreadable) = (Vec::with_capacity(schedules.len()), Vec::new());
    for schedule in schedules {
        let Some(run_at) = schedule.next_run_at else { continue };
        match timetable(&schedule) {
            Ok(timetable) => {
                fired.lateness.push((now - run_at).to_std().unwrap_or_default());
                let due = due(&timetable, spread(schedule.id), run_at, now);
                ready.push(Ready { schedule, due });
            }
            Err(error) => unreadable.push((schedule, error)),
        }
    }
    fire(&mut tx, &ready, &mut fired).await?;
    fired.unreadable = unreadable.len();
    // After organisations were locked, and the audit chains of what was fired.
    for (schedule, error) in unreadable {
        outcome::disable(&mut tx, &schedule, &error.to_string()).await?;
    }
    tx.commit().await?;
    Ok(fired)
}

async fn fire(conn: &mut PgConnection, ready: &[Ready], fired: &mut Fired) -> Result<(), Error> {
    let intents: Vec<Intent<'_>> = ready.iter().map(intent).collect();
    let came = start(conn, &intents).await?;
    let advances: Vec<Advance> = ready.iter().zip(&came).map(|(ready, came)| advance(ready, came)).collect();
    schedule::advance(conn, &advances).await?;

    let origin = Origin::default();
    let actors: Vec<Actor> = ready.iter().map(|ready| actor(&ready.schedule)).collect();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for ((ready, came), actor) in ready.iter().zip(&came).zip(&actors) {
        match came {
            Came::Started(scans) => {
                fired.started += 1;
                fired.scans += scans.len();
                let Ready { schedule, due } = ready;
                let details = json!({"scan_ids": scans, "scheduled_for": due.scheduled_for, "filter_regions": schedule.filter_regions});
                let by = By { actor, origin: &origin };
                entries.push(by.entry(Some(schedule.org_id), Action::ScanQueued, target(schedule.id), details));
            }
            Came::Refused(_) => fired.refused += 1,
            Came::Already => {}
        }
    }
    append_many(conn, &entries).await?;
    Ok(())
}

fn intent(ready: &Ready) -> Intent<'_> {
    let Ready { schedule, due } = ready;
    Intent {
        schedule,
        trigger: FiringTrigger::Cron,
        scheduled_for: due.scheduled_for,
        missed_count: due.missed_count,
        missed_since: due.missed_since,
        is_stale: due.is_stale,
    }
}

fn advance(ready: &Ready, came: &Came) -> Advance {
    let Ready { schedule, due } = ready;
    let error = match came {
        Came::Refused(refusal) => {
            Some(format!("the firing of {} started no scan: {}", plain(due.scheduled_for), refusal.reason()))
        }
        Came::Started(_) | Came::Already => None,
    };
    let started = matches!(came, Came::Started(_));
    Advance { id: schedule.id, next_run_at: due.next_run_at, started, error }
}

/// A time for a person, to the minute.
fn plain(time: DateTime<Utc>) -> impl std::fmt::Display {
    time.format("%Y-%m-%d %H:%M UTC")
}

/// A schedule as the audit chain names it.
fn actor(schedule: &Schedule) -> Actor {
    Actor { kind: ActorKind::Schedule, id: schedule.id.to_string(), display: schedule.name.clone() }
}
