//! The loop around a service: errors do not end it, a run that hangs is given up, what is left is gone on with, a stop is heeded; and
//! every service is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scheduler::maintenance::{Counts, Error, Service, repeat};
use tokio_util::sync::CancellationToken;

use crate::support::{Api, Plumbline, TestDb, eventually};

#[derive(Debug, Default, PartialEq)]
struct Did {
    has_more: bool,
}

impl Counts for Did {
    fn rows(&self) -> Vec<(&'static str, u64)> {
        vec![("things", 1)]
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// What a run does, by its number.
type Script = fn(usize) -> Option<Result<Did, Error>>;

struct Scripted {
    runs: Arc<AtomicUsize>,
    script: Script,
    every: Duration,
}

impl Service for Scripted {
    const NAME: &'static str = "scripted";
    type Counts = Did;

    fn every(&self) -> Duration {
        self.every
    }

    fn longest(&self) -> Duration {
        Duration::from_millis(50)
    }

    async fn run_once(&self) -> Result<Did, Error> {
        match (self.script)(self.runs.fetch_add(1, Ordering::SeqCst)) {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}

/// Repeats a script until there were so many runs, and stops; how many there were.
async fn runs(script: Script, every: Duration, wanted: usize) -> usize {
    let runs = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let service = Scripted { runs: Arc::clone(&runs), script, every };
    let repeated = tokio::spawn(repeat(service, stop.clone()));
    eventually("so many runs", async || (runs.load(Ordering::SeqCst) >= wanted).then_some(())).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_mins(1), repeated).await.expect("it stops").unwrap();
    runs.load(Ordering::SeqCst)
}

const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn errors_and_runs_that_hang_are_followed_by_another_run() {
    let script: Script = |nth| match nth {
        0 => Some(Err(Error::Database(sqlx::Error::PoolTimedOut))),
        1 => None,
        _ => Some(Ok(Did::default())),
    };
    assert_eq!(runs(script, LONG, 3).await, 3);
}

#[tokio::test]
async fn a_run_that_left_something_is_followed_at_once_and_one_that_did_not_is_not() {
    let script: Script = |nth| Some(Ok(Did { has_more: nth < 4 }));
    assert_eq!(runs(script, LONG, 5).await, 5);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_run_that_hangs() {
    assert_eq!(runs(|_| None, LONG, 1).await, 1);
}

#[tokio::test]
async fn each_service_runs_under_up_and_is_counted() {
    let db = TestDb::new().await;
    let folder = tempfile::tempdir().unwrap();
    let up = Plumbline::new(&["up", "--listen", "127.0.0.1:0"]).data_dir(folder.path()).database(&db).start();
    let api = Api::new(&up.url);
    let services = [
        "account_registrations",
        "artifacts",
        "dead_letters",
        "events",
        "idempotency_keys",
        "rescuer",
        "scans",
        "stuck_runs",
        "webhook_deliveries",
        "webhook_endpoints",
    ];
    eventually("every service has run", async || {
        let answer = api.get("/metrics").await.expect(200);
        let text = answer.as_str().unwrap_or_default();
        let ran = |service: &&str| {
            let ok = format!(r#"plumbline_maintenance_runs_total{{service="{service}",outcome="ok"}} "#);
            let took = format!(r#"plumbline_maintenance_seconds_count{{service="{service}"}} "#);
            let rows = format!(r#"plumbline_maintenance_rows_total{{service="{service}",what=""#);
            [ok, took, rows].iter().all(|line| text.contains(line.as_str()))
        };
        services.iter().all(ran).then_some(())
    })
    .await;
}
