//! The queues as operators see them: what is in each of them, who serves it, and how it goes.
//!
//! Everything here is read from small tables that others keep: the census, the minutes, the workers' rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::census::{self, Counted};
use super::config::Config;
use super::minutes::{self, Pace};
use crate::kinds;

/// How many a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Jobs that succeeded.
    pub done_per_minute: f64,
    /// Attempts that failed, those that were a job's last one included.
    pub failed_per_minute: f64,
    /// Jobs that died.
    pub dead_per_minute: f64,
}

/// Mean and longest, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What there is of one kind, at the time of the census.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindCount {
    /// The kind.
    pub kind: String,
    /// Jobs that wait and might run.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs in the hands of a worker.
    pub running: i64,
    /// Dead letters.
    pub dead: i64,
    /// For how long the oldest ready job had been ready, in seconds.
    pub oldest_ready_s: Option<f64>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Since when nothing is claimed from it; `None`: it runs.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Living worker processes that serve it.
    pub workers: i64,
    /// Jobs that wait and might run.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs in the hands of a worker.
    pub running: i64,
    /// Dead letters.
    pub dead: i64,
    /// For how long the oldest ready job had been ready, in seconds.
    pub oldest_ready_s: Option<f64>,
    /// When the jobs were counted; `None`: never yet, and all is 0.
    pub measured_at: Option<DateTime<Utc>>,
    /// The same numbers by kind.
    pub kinds: Vec<KindCount>,
    /// The last five minutes.
    pub last_5_minutes: Rates,
    /// The last hour.
    pub last_60_minutes: Rates,
    /// How long the last hour's attempts ran; `None` where there were none.
    pub ran: Option<Spread>,
    /// How long they had been ready before they started.
    pub waited: Option<Spread>,
}

struct Control {
    queue: String,
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
}

async fn controls(conn: &mut PgConnection) -> sqlx::Result<Vec<Control>> {
    sqlx::query_as!(Control, "SELECT queue, paused_at, paused_by FROM queue_control").fetch_all(conn).await
}

/// The names of all queues: those of this version's kinds, and what else jobs were seen in.
///
/// # Errors
/// When the database refuses.
pub async fn names(conn: &mut PgConnection) -> sqlx::Result<BTreeSet<String>> {
    let seen =
        sqlx::query_scalar!(r#"SELECT queue AS "queue!" FROM queue_census UNION SELECT queue FROM queue_control"#)
            .fetch_all(conn)
            .await?;
    Ok(kinds::KNOWN.iter().map(|known| known.queue.to_owned()).chain(seen).collect())
}

/// All queues, by name.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Queue>> {
    let names = names(conn).await?;
    let controls = controls(conn).await?;
    let census = census::read(conn).await?;
    let paces = minutes::last_hour(conn).await?;
    let serving = serving(conn).await?;
    let queues = names.into_iter().map(|name| {
        let control = controls.iter().find(|control| control.queue == name);
        let counted: Vec<&Counted> = census.counted.iter().filter(|row| row.queue == name).collect();
        let paces: Vec<&Pace> = paces.iter().filter(|pace| pace.queue == name).collect();
        let kinds: Vec<KindCount> = counted.iter().map(|row| kind_count(row, census.measured_at)).collect();
        let sum = |of: fn(&KindCount) -> i64| kinds.iter().map(of).sum();
        Queue {
            paused_at: control.and_then(|control| control.paused_at),
            paused_by: control.and_then(|control| control.paused_by.clone()),
            workers: serving.get(&name).copied().unwrap_or_default(),
            ready: sum(|kind| kind.ready),
            scheduled: sum(|kind| kind.scheduled),
            running: sum(|kind| kind.running),
            dead: sum(|kind| kind.dead),
            oldest_ready_s: kinds.iter().filter_map(|kind| kind.oldest_ready_s).reduce(f64::max),
            measured_at: census.measured_at,
            last_5_minutes: rates(&paces, 5.0, |pace| pace.jobs_5),
            last_60_minutes: rates(&paces, 60.0, |pace| pace.jobs_60),
            ran: spread(&paces, |pace| (pace.ran_ms, pace.ran_max_ms)),
            waited: spread(&paces, |pace| (pace.waited_ms, pace.waited_max_ms)),
            kinds,
            name,
        }
    });
    Ok(queues.collect())
}

/// How many living workers serve each queue.
async fn serving(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i64>> {
    let rows = sqlx::query!(
        r#"SELECT queue AS "queue!", count(*) AS "workers!" FROM worker, unnest(queues) AS queue
            WHERE beat_at >= now() - make_interval(secs => $1) GROUP BY queue"#,
        Config::default().lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.queue, row.workers)).collect())
}

fn kind_count(row: &Counted, measured_at: Option<DateTime<Utc>>) -> KindCount {
    let age = measured_at.zip(row.oldest_ready_at).map(|(at, since)| (at - since).as_seconds_f64().max(0.0));
    KindCount {
        kind: row.kind.clone(),
        ready: row.ready,
        scheduled: row.scheduled,
        running: row.running,
        dead: row.dead,
        oldest_ready_s: age,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate is for people")]
fn rates(paces: &[&Pace], minutes: f64, jobs: fn(&Pace) -> i64) -> Rates {
    let per_minute = |verdicts: &[&str]| {
        let of = paces.iter().filter(|pace| verdicts.contains(&pace.verdict.as_str()));
        // Begun at zero, for the sum of nothing is -0.
        of.map(|pace| jobs(pace) as f64 / (minutes + pace.begun)).fold(0.0, |sum, rate| sum + rate)
    };
    Rates {
        done_per_minute: per_minute(&["done"]),
        failed_per_minute: per_minute(&["retry", "dead", "refused"]),
        dead_per_minute: per_minute(&["dead"]),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a mean is for people")]
fn spread(paces: &[&Pace], of: fn(&Pace) -> (f64, f64)) -> Option<Spread> {
    let jobs: i64 = paces.iter().map(|pace| pace.jobs_60).sum();
    let total: f64 = paces.iter().map(|pace| of(pace).0).sum();
    let max = paces.iter().map(|pace| of(pace).1).reduce(f64::max)?;
    (jobs > 0).then(|| Spread { mean_ms: total / jobs as f64, max_ms: max })
}
