//! The queue's gauges on `/metrics`: the stored census in Prometheus' text format.
//!
//! They are not the process's own, so they do not go through its recorder: a kind that is gone from the census is gone from
//! the next answer, too. However often somebody scrapes, the census is read once in [`FRESH`].

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jobs::kinds;
use jobs::queue::census::{self, Census, Counted};
use sqlx::PgPool;
use tokio::sync::Mutex;

/// How long an answer is given again.
const FRESH: Duration = Duration::from_secs(5);
/// A database that takes longer is left out: the process's own metrics matter most when it is in trouble.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last answer.
#[derive(Debug, Default)]
pub struct Gauges(Mutex<Option<(Instant, String)>>);

impl Gauges {
    /// The gauges; nothing where the database does not answer.
    pub async fn render(&self, pool: &PgPool) -> String {
        let mut last = self.0.lock().await;
        if let Some((at, text)) = &*last
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let read = async { census::read(&mut *pool.acquire().await?).await };
        let text = match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(census)) => text(&census),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the census could not be read");
                String::new()
            }
            Err(_) => {
                tracing::warn!("reading the census was not answered");
                String::new()
            }
        };
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

type Value = fn(&Counted, &Census) -> f64;

#[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
const GAUGES: [(&str, &str, Value); 5] = [
    ("plumbline_queue_ready", "Jobs that wait and might run.", |row, _| row.ready as f64),
    ("plumbline_queue_scheduled", "Jobs that wait for their time.", |row, _| row.scheduled as f64),
    ("plumbline_queue_running", "Jobs in the hands of a worker.", |row, _| row.running as f64),
    ("plumbline_queue_oldest_ready_seconds", "For how long the oldest ready job had been ready.", |row, census| {
        let age = census.measured_at.zip(row.oldest_ready_at).map(|(at, since)| (at - since).as_seconds_f64());
        age.unwrap_or_default().max(0.0)
    }),
    ("plumbline_queue_dead", "Dead letters.", |row, _| row.dead as f64),
];

fn text(census: &Census) -> String {
    let Some(measured_at) = census.measured_at else {
        return String::new();
    };
    let mut rows = census.counted.clone();
    // A kind of which there is nothing is at zero rather than absent, so that alerts on it work.
    for known in kinds::KNOWN {
        if !rows.iter().any(|row| row.queue == known.queue && row.kind == known.kind) {
            rows.push(Counted::none(known.queue, known.kind));
        }
    }
    let mut out = String::new();
    for (name, help, value) in GAUGES {
        // Writing to a text cannot fail.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for row in &rows {
            let (queue, kind) = (escaped(&row.queue), escaped(&row.kind));
            let _ = writeln!(out, "{name}{{queue=\"{queue}\",kind=\"{kind}\"}} {}", value(row, census));
        }
    }
    let age = (census.now - measured_at).as_seconds_f64().max(0.0);
    let name = "plumbline_queue_census_age_seconds";
    let _ = write!(out, "# HELP {name} How old the queue's gauges are.\n# TYPE {name} gauge\n{name} {age}\n");
    out
}

/// A label's value, as the text format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
