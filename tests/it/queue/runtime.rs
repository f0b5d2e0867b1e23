//! The worker process: what handlers may do to it, and what reaches them.

use super::{Ask, Note, SOON, Worker, enqueue, note, number, quick, run, runtime, until};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::control::cancel;
use jobs::queue::{self, Config, JobError, Options, Signals, Waited, dead};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use workers::runtime::{Runtime, RuntimeError, Shutdown};

const JOBS: &str = "SELECT count(*) FROM job";
const DEAD: &str = "SELECT count(*) FROM dead_job";

#[tokio::test]
async fn without_handlers_it_does_not_start() {
    let db = TestDb::new().await;
    let ended = runtime(&db.pool).run(Shutdown::default()).await;
    assert!(matches!(ended, Err(RuntimeError::NoHandlers(_))), "{ended:?}");
    let elsewhere = runtime(&db.pool).register(run(|_, _: Note| async { Ok(Value::Null) }));
    let ended = elsewhere.only_queues(vec!["nowhere".to_owned()]).run(Shutdown::default()).await;
    assert!(ended.unwrap_err().to_string().contains("nowhere"));
}

/// A [`Note`] that may not take long.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Hasty(Note);

impl jobs::kinds::Job for Hasty {
    const KIND: &'static str = "test_hasty";
    const QUEUE: &'static str = Note::QUEUE;
    const MAX_ATTEMPTS: i16 = Note::MAX_ATTEMPTS;
    const TIMEOUT: Duration = Duration::from_millis(300);
    const BACKOFF: jobs::retry::Backoff = Note::BACKOFF;

    fn tenant(&self) -> Option<uuid::Uuid> {
        self.0.tenant
    }
}

#[tokio::test]
async fn panics_and_timeouts_are_failures_that_are_tried_again() {
    let db = TestDb::new().await;
    let worker = Worker::start(runtime(&db.pool).register(run(|_, job: Hasty| async move {
        match job.0.n {
            1 => panic!("out of cheese"),
            2 => std::future::pending().await,
            _ => Ok(Value::Null),
        }
    })));
    let panicking = enqueue(&db.pool, &Hasty(note(1))).await;
    let hanging = enqueue(&db.pool, &Hasty(note(2))).await;
    until(&db.pool, DEAD, 2).await;
    enqueue(&db.pool, &Hasty(note(3))).await;
    until(&db.pool, JOBS, 0).await;
    let mut conn = db.pool.acquire().await.unwrap();
    for (id, class, words) in [(panicking, "panic", "out of cheese"), (hanging, "timeout", "300ms")] {
        let dead = dead::get(&mut conn, id).await.unwrap().unwrap();
        assert_eq!((dead.reason.as_str(), dead.error_class.as_str()), ("attempts_exhausted", class));
        assert_eq!(dead.errors.as_array().unwrap().len(), 3, "its whole budget");
        assert!(dead.error.contains(words), "{}", dead.error);
    }
    assert!(worker.stop().await.clean);
}

#[tokio::test]
async fn what_cannot_be_run_is_dead_at_once_and_blocks_nobody() {
    let db = TestDb::new().await;
    let unknown = enqueue(&db.pool, &note(1)).await;
    let undecodable = enqueue(&db.pool, &note(2)).await;
    let no_json = enqueue(&db.pool, &note(3)).await;
    for (id, change) in [
        (unknown, "UPDATE job SET kind = 'from_the_future' WHERE id = $1"),
        (undecodable, "UPDATE job SET payload = '{\"n\": \"many\"}' WHERE id = $1"),
        (no_json, "UPDATE job SET payload = 'no json' WHERE id = $1"),
    ] {
        sqlx::query(change).bind(id.uuid()).execute(&db.pool).await.unwrap();
    }
    enqueue(&db.pool, &note(4)).await;
    let worker = Worker::start(runtime(&db.pool).register(run(|_, _: Note| async { Ok(Value::Null) })));
    until(&db.pool, JOBS, 0).await;
    let mut conn = db.pool.acquire().await.unwrap();
    for (id, reason) in
        [(unknown, "unknown_kind"), (undecodable, "undecodable_payload"), (no_json, "undecodable_payload")]
    {
        let dead = dead::get(&mut conn, id).await.unwrap().unwrap();
        assert_eq!((dead.reason.as_str(), dead.attempt), (reason, 1));
    }
    let dead = dead::get(&mut conn, no_json).await.unwrap().unwrap();
    assert_eq!(dead.payload, "no json", "kept as it was");
    worker.stop().await;
}

#[tokio::test]
async fn a_payload_with_fields_of_a_newer_version_still_runs() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    sqlx::query(r#"UPDATE job SET payload = '{"tenant":null,"key":null,"n":1,"new":true}'"#)
        .execute(&db.pool)
        .await
        .unwrap();
    let worker = Worker::start(runtime(&db.pool).register(run(|_, _: Note| async { Ok(Value::Null) })));
    until(&db.pool, JOBS, 0).await;
    assert_eq!(number(&db.pool, DEAD).await, 0);
    worker.stop().await;
}

#[tokio::test]
async fn a_handler_sees_its_attempts_and_where_the_job_came_from() {
    let db = TestDb::new().await;
    let (seen, mut seen_by_test) = mpsc::unbounded_channel();
    let worker = Worker::start(runtime(&db.pool).register(run(move |cx, _: Note| {
        let seen = seen.clone();
        async move {
            let last = cx.is_last_attempt();
            seen.send((cx.attempt, cx.max_attempts, last, cx.request_id.clone())).unwrap();
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            tx.commit().await?;
            if last { Ok(Value::Null) } else { Err(JobError::retry("not_yet", "later")) }
        }
    })));
    let options = Options { request_id: Some("req_7".to_owned()), ..Options::default() };
    queue::enqueue_with(&mut db.pool.acquire().await.unwrap(), &note(1), &options).await.unwrap();
    let request = Some("req_7".to_owned());
    for expected in [(1, 3, false), (2, 3, false), (3, 3, true)] {
        let (attempt, max, last, request_id) = seen_by_test.recv().await.unwrap();
        assert_eq!(((attempt, max, last), request_id), (expected, request.clone()));
    }
    until(&db.pool, JOBS, 0).await;
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job_error").await, 0);
    worker.stop().await;
}

#[tokio::test]
async fn a_running_job_is_cancelled_by_signal_or_by_the_next_heartbeat() {
    let db = TestDb::new().await;
    let stop = CancellationToken::new();
    let _stop_listening = stop.clone().drop_guard();
    for signals in [Signals::none(), Signals::listen(db.url.clone(), stop.clone())] {
        let started = Arc::new(Notify::new());
        let begun = Arc::clone(&started);
        let worker =
            Worker::start(Runtime::builder(db.pool.clone(), signals, quick()).register(run(move |cx, _: Ask| {
                begun.notify_one();
                async move {
                    cx.cancel.cancelled().await;
                    Err(JobError::retry("interrupted", "I was told to stop"))
                }
            })));
        let id = enqueue(&db.pool, &Ask::default()).await;
        started.notified().await;
        cancel(&mut db.pool.acquire().await.unwrap(), id, "no more").await.unwrap();
        until(&db.pool, JOBS, 0).await;
        assert_eq!(number(&db.pool, DEAD).await, 0);
        assert!(worker.stop().await.clean);
    }
}

#[tokio::test]
async fn no_more_run_at_once_than_allowed_and_queues_do_not_share_slots() {
    let db = TestDb::new().await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (Arc::clone(&now), Arc::clone(&most));
    let go = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&go);
    let worker = Worker::start(
        runtime(&db.pool)
            .register(run(move |_, _: Note| {
                let (running, highest, gate) = (Arc::clone(&running), Arc::clone(&highest), Arc::clone(&gate));
                async move {
                    highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    gate.acquire().await.map_err(|e| JobError::fail("gate", e))?.forget();
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(Value::Null)
                }
            }))
            .register(run(|_, _: Ask| async { Ok(Value::from("at once")) })),
    );
    let slow: Vec<Note> = (0..100).map(note).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &slow).await.unwrap();
    until(&db.pool, "SELECT count(*) FROM job WHERE claimed_by IS NOT NULL AND queue = 'test'", 8).await;
    let id = enqueue(&db.pool, &Ask::default()).await;
    let asked = queue::wait(&db.pool, &Signals::none(), id, SOON).await.unwrap();
    assert_eq!(asked, Waited::Done(Value::from("at once")), "though every slot of the other queue is taken");
    go.add_permits(100);
    until(&db.pool, JOBS, 0).await;
    assert_eq!(most.load(Ordering::SeqCst), 8);
    worker.stop().await;
}

#[tokio::test]
async fn a_signal_wakes_an_idle_worker_long_before_its_poll() {
    let db = TestDb::new().await;
    let signals = Signals::listen(db.url.clone(), CancellationToken::new());
    let config = Config { poll_every: Duration::from_hours(1), ..quick() };
    let worker = Worker::start(
        Runtime::builder(db.pool.clone(), signals.clone(), config)
            .register(run(|_, _: Note| async { Ok(Value::Null) })),
    );
    for n in 0..20 {
        enqueue(&db.pool, &note(n)).await;
        until(&db.pool, JOBS, 0).await;
    }
    // A job that was handed back wakes, too.
    let mut conn = db.pool.acquire().await.unwrap();
    queue::control::pause(&mut conn, Note::QUEUE, "me").await.unwrap();
    enqueue(&db.pool, &note(0)).await;
    queue::control::resume(&mut conn, Note::QUEUE).await.unwrap();
    until(&db.pool, JOBS, 0).await;
    worker.stop().await;
}

#[tokio::test]
async fn two_processes_share_a_backlog_and_run_each_job_once() {
    let db = TestDb::new().await;
    sqlx::query("CREATE TABLE ledger (n int, worker int)").execute(&db.pool).await.unwrap();
    let all: Vec<Note> = (0..2_000).map(note).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &all).await.unwrap();
    let workers = [1, 2].map(|me| {
        Worker::start(runtime(&db.pool).register(run(move |cx, job: Note| async move {
            sqlx::query("INSERT INTO ledger VALUES ($1, $2)")
                .bind(i32::try_from(job.n).unwrap())
                .bind(me)
                .execute(&cx.pool)
                .await?;
            Ok(Value::Null)
        })))
    });
    until(&db.pool, JOBS, 0).await;
    assert_eq!(number(&db.pool, "SELECT count(*) FROM ledger").await, 2_000);
    assert_eq!(number(&db.pool, "SELECT count(DISTINCT n) FROM ledger").await, 2_000);
    for worker in workers {
        assert!(worker.stop().await.clean);
    }
    assert_eq!(number(&db.pool, "SELECT count(*) FROM worker").await, 0);
}
