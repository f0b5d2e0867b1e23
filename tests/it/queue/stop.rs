//! Stopping: nothing is lost by it, no attempt is spent on it.

use super::{Note, SOON, Worker, enqueue, note, number, quick, run, runtime, until};
use crate::support::TestDb;
use jobs::queue::{self, Config, JobError, Signals};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use workers::runtime::Runtime;

const UNTOUCHED: &str = "SELECT count(*) FROM job WHERE claimed_by IS NULL AND attempt = 0 AND run_at <= now()";
const CLAIMED: &str = "SELECT count(*) FROM job WHERE claimed_by IS NOT NULL";

async fn fill(db: &TestDb, jobs: usize) {
    let jobs: Vec<Note> = (0..jobs).map(note).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &jobs).await.unwrap();
}

#[tokio::test]
async fn what_ends_in_its_grace_is_done_and_the_rest_is_handed_back_unspent() {
    let db = TestDb::new().await;
    fill(&db, 100).await;
    let (go, started) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (gate, entered) = (Arc::clone(&go), Arc::clone(&started));
    let config = Config { grace: SOON, ..quick() };
    let worker =
        Worker::start(Runtime::builder(db.pool.clone(), Signals::none(), config).register(run(move |_, _: Note| {
            let (gate, entered) = (Arc::clone(&gate), Arc::clone(&entered));
            async move {
                entered.add_permits(1);
                gate.acquire().await.map_err(|e| JobError::fail("gate", e))?.forget();
                Ok(Value::Null)
            }
        })));
    drop(started.acquire_many(8).await.unwrap());
    worker.shutdown.soft.cancel();
    until(&db.pool, CLAIMED, 8).await;
    go.add_permits(8);
    assert!(worker.stop().await.clean);
    assert_eq!(number(&db.pool, UNTOUCHED).await, 92);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job").await, 92);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM worker").await, 0);
}

#[tokio::test]
async fn after_the_grace_handlers_are_told_and_then_dropped_and_no_attempt_is_spent() {
    let db = TestDb::new().await;
    fill(&db, 20).await;
    let worker = Worker::start(runtime(&db.pool).register(run(|cx, job: Note| async move {
        if job.n.is_multiple_of(2) {
            cx.cancel.cancelled().await;
            return Err(JobError::retry("told", "I was told to stop"));
        }
        std::future::pending().await
    })));
    until(&db.pool, CLAIMED, 8).await;
    let asked = Instant::now();
    assert!(worker.stop().await.clean);
    assert!(asked.elapsed() < SOON / 2, "{:?}", asked.elapsed());
    assert_eq!(number(&db.pool, UNTOUCHED).await, 20);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job_error").await, 0);
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once_and_hands_back_all_the_same() {
    let db = TestDb::new().await;
    fill(&db, 20).await;
    let config = Config { grace: Duration::from_mins(10), ..quick() };
    let worker = Worker::start(
        Runtime::builder(db.pool.clone(), Signals::none(), config).register(run(|_, _: Note| std::future::pending())),
    );
    until(&db.pool, CLAIMED, 8).await;
    worker.shutdown.soft.cancel();
    let asked = Instant::now();
    worker.shutdown.hard.cancel();
    assert!(worker.stop().await.clean);
    assert!(asked.elapsed() < SOON / 2, "{:?}", asked.elapsed());
    assert_eq!(number(&db.pool, UNTOUCHED).await, 20);
}

#[tokio::test]
async fn stopping_under_load_loses_nothing_and_spends_nothing() {
    let db = TestDb::new().await;
    sqlx::query("CREATE TABLE ledger (n int)").execute(&db.pool).await.unwrap();
    fill(&db, 3_000).await;
    for _ in 0..5 {
        let config = Config { grace: SOON, ..quick() };
        let worker = Worker::start(Runtime::builder(db.pool.clone(), Signals::none(), config).register(run(
            |cx, job: Note| async move {
                let n = i32::try_from(job.n).unwrap_or_default();
                sqlx::query("INSERT INTO ledger VALUES ($1)").bind(n).execute(&cx.pool).await?;
                Ok(Value::Null)
            },
        )));
        let before = number(&db.pool, "SELECT count(*) FROM job").await;
        tokio::time::timeout(SOON, async {
            while number(&db.pool, "SELECT count(*) FROM job").await > before - 100 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert!(worker.stop().await.clean);
        let left = number(&db.pool, "SELECT count(*) FROM job").await;
        let touched = "SELECT string_agg(concat_ws(' ', j.id, claimed_by, j.attempt, run_at - now(), e.error), E'\n')
                         FROM job j LEFT JOIN job_error e ON e.job_id = j.id WHERE claimed_by IS NOT NULL OR j.attempt > 0 OR run_at > now()";
        let touched: Option<String> = sqlx::query_scalar(touched).fetch_one(&db.pool).await.unwrap();
        assert_eq!(touched, None, "nothing claimed, nothing spent");
        assert_eq!(number(&db.pool, "SELECT count(DISTINCT n) FROM ledger").await + left, 3_000);
        assert_eq!(number(&db.pool, "SELECT count(*) FROM ledger").await + left, 3_000);
    }
}

#[tokio::test]
async fn a_worker_that_never_found_its_database_stops_too() {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy("postgres://nobody@127.0.0.1:1/nothing")
        .unwrap();
    let worker = Worker::start(runtime(&pool).register(run(|_, _: Note| async { Ok(Value::Null) })));
    assert!(worker.stop().await.clean);
}

#[tokio::test]
async fn jobs_enqueued_during_the_stop_stay_where_they_are() {
    let db = TestDb::new().await;
    let config = Config { grace: Duration::from_millis(500), ..quick() };
    let worker = Worker::start(
        Runtime::builder(db.pool.clone(), Signals::none(), config).register(run(|_, _: Note| std::future::pending())),
    );
    enqueue(&db.pool, &note(1)).await;
    until(&db.pool, CLAIMED, 1).await;
    worker.shutdown.soft.cancel();
    enqueue(&db.pool, &note(2)).await;
    assert!(worker.stop().await.clean);
    assert_eq!(number(&db.pool, UNTOUCHED).await, 2);
}
