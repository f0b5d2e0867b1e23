//! Waiting for outcomes, with signals and without.

use super::{Ask, SOON, Worker, enqueue, note, run, runtime};
use crate::support::TestDb;
use jobs::ids::JobId;
use jobs::queue::control::cancel;
use jobs::queue::{JobError, Signals, WaitError, Waited, wait};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn ask(question: &str) -> Ask {
    Ask { question: question.to_owned() }
}

fn answering(pool: &sqlx::PgPool) -> Worker {
    Worker::start(runtime(pool).register(run(|_, job: Ask| async move {
        match job.question.as_str() {
            "no" => Err(JobError::fail("refused", "not this").with_details(json!({"field": "question"}))),
            "twice" => Err(JobError::retry("flaky", "try again")),
            "never mind" => Err(JobError::cancel("pointless")),
            question => Ok(json!({ "echo": question })),
        }
    })))
}

#[tokio::test]
async fn nothing_to_wait_for_is_an_error() {
    let db = TestDb::new().await;
    let unknown = JobId::new();
    let waited = wait(&db.pool, &Signals::none(), unknown, SOON).await;
    assert!(matches!(waited, Err(WaitError::Unknown(id)) if id == unknown), "{waited:?}");
}

#[tokio::test]
async fn a_job_that_takes_longer_is_pending() {
    let db = TestDb::new().await;
    for signals in [Signals::none(), Signals::listen(db.url.clone(), CancellationToken::new())] {
        let id = enqueue(&db.pool, &ask("hm")).await;
        let started = Instant::now();
        let waited = wait(&db.pool, &signals, id, Duration::from_millis(200)).await.unwrap();
        assert_eq!(waited, Waited::Pending);
        assert!(started.elapsed() >= Duration::from_millis(200));
        assert_eq!(wait(&db.pool, &signals, id, Duration::ZERO).await.unwrap(), Waited::Pending);
    }
    // A kind of which no outcome is kept can be waited for while it is there.
    let id = enqueue(&db.pool, &note(1)).await;
    assert_eq!(wait(&db.pool, &Signals::none(), id, Duration::ZERO).await.unwrap(), Waited::Pending);
}

#[tokio::test]
async fn every_end_is_told_with_signals_and_without() {
    let db = TestDb::new().await;
    let stop = CancellationToken::new();
    let _stop_listening = stop.clone().drop_guard();
    let worker = answering(&db.pool);
    for signals in [Signals::none(), Signals::listen(db.url.clone(), stop)] {
        let done = enqueue(&db.pool, &ask("yes")).await;
        assert_eq!(wait(&db.pool, &signals, done, SOON).await.unwrap(), Waited::Done(json!({"echo": "yes"})));
        assert_eq!(
            wait(&db.pool, &signals, done, SOON).await.unwrap(),
            Waited::Done(json!({"echo": "yes"})),
            "an outcome may be asked for again"
        );
        let refused = enqueue(&db.pool, &ask("no")).await;
        let Waited::Failed { error_class, error, details } = wait(&db.pool, &signals, refused, SOON).await.unwrap()
        else {
            panic!("it failed")
        };
        assert_eq!((error_class.as_str(), error.as_str()), ("refused", "not this"));
        assert_eq!(details, Some(json!({"field": "question"})));
        let exhausted = enqueue(&db.pool, &ask("twice")).await;
        let waited = wait(&db.pool, &signals, exhausted, SOON).await.unwrap();
        assert!(matches!(&waited, Waited::Failed { error_class, .. } if error_class == "flaky"), "{waited:?}");
        let pointless = enqueue(&db.pool, &ask("never mind")).await;
        assert_eq!(wait(&db.pool, &signals, pointless, SOON).await.unwrap(), Waited::Cancelled);
    }
    assert!(worker.stop().await.clean);
    let waiting = enqueue(&db.pool, &ask("yes")).await;
    cancel(&mut db.pool.acquire().await.unwrap(), waiting, "changed my mind").await.unwrap();
    assert_eq!(wait(&db.pool, &Signals::none(), waiting, SOON).await.unwrap(), Waited::Cancelled);
}

#[tokio::test]
async fn many_wait_on_one_listening_connection() {
    let db = TestDb::new().await;
    let signals = Signals::listen(db.url.clone(), CancellationToken::new());
    let id = enqueue(&db.pool, &ask("all")).await;
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let (pool, signals) = (db.pool.clone(), signals.clone());
            tokio::spawn(async move { wait(&pool, &signals, id, SOON).await.unwrap() })
        })
        .collect();
    let worker = answering(&db.pool);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Waited::Done(json!({"echo": "all"})));
    }
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(super::number(&db.pool, listening).await, 1);
    worker.stop().await;
}

#[tokio::test]
async fn values_that_postgres_cannot_store_do_not_hold_up_the_rest() {
    let db = TestDb::new().await;
    let worker = Worker::start(runtime(&db.pool).register(run(|_, _: Ask| async { Ok(Value::from("a\0b")) })));
    let id = enqueue(&db.pool, &ask("nul")).await;
    assert_eq!(wait(&db.pool, &Signals::none(), id, SOON).await.unwrap(), Waited::Done(json!("a\u{fffd}b")));
    worker.stop().await;
}
