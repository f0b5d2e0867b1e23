//! The census: exact when it is taken, taken by one process at a time, and never by one that lost its turn.

use super::{Note, claim, enqueue, note, number, settle, worker};
use crate::support::TestDb;
use chrono::{Duration, Utc};
use jobs::queue::census::{self, Census};
use jobs::queue::{self, DeathReason, Failure, Options, Verdict};
use sqlx::PgPool;

async fn due(pool: &PgPool) {
    sqlx::query("UPDATE queue_census_turn SET next_at = now()").execute(pool).await.unwrap();
}

async fn read(pool: &PgPool) -> Census {
    census::read(&mut pool.acquire().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn before_the_first_census_nothing_is_known() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let census = read(&db.pool).await;
    assert_eq!((census.measured_at, census.counted.len()), (None, 0));
}

#[tokio::test]
async fn a_census_is_what_a_hand_would_count() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    for n in 0..6 {
        enqueue(&db.pool, &note(n)).await;
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let later = Options { run_at: Some(Utc::now() + Duration::hours(1)), ..Options::default() };
    queue::enqueue_with(&mut conn, &note(9), &later).await.unwrap();
    let running = claim(&db.pool, worker, 3).await;
    let failure = Failure::new("boom", "it broke");
    settle(&db.pool, &running[0], Verdict::Dead { reason: DeathReason::FailedForGood, failure }).await;

    assert!(census::take(&mut conn).await.unwrap());
    let census = read(&db.pool).await;
    let [counted] = census.counted.as_slice() else { panic!("one kind: {census:?}") };
    assert_eq!((counted.queue.as_str(), counted.kind.as_str()), ("test", "test_note"));
    assert_eq!((counted.ready, counted.scheduled, counted.running, counted.dead), (3, 1, 2, 1));
    let hand = "SELECT count(*) FROM job WHERE claimed_by IS NULL AND run_at <= now()";
    assert_eq!(number(&db.pool, hand).await, counted.ready);
    let oldest: chrono::DateTime<Utc> =
        sqlx::query_scalar("SELECT min(run_at) FROM job WHERE claimed_by IS NULL").fetch_one(&db.pool).await.unwrap();
    assert_eq!(counted.oldest_ready_at, Some(oldest));

    sqlx::raw_sql("DELETE FROM job; DELETE FROM dead_job").execute(&db.pool).await.unwrap();
    assert!(!census::take(&mut conn).await.unwrap(), "not so soon");
    assert_eq!(read(&db.pool).await.counted.len(), 1, "what is read is as old as it says");
    due(&db.pool).await;
    assert!(census::take(&mut conn).await.unwrap());
    assert!(read(&db.pool).await.counted.is_empty());
}

#[tokio::test]
async fn of_two_processes_one_takes_it_and_the_other_does_not_wait() {
    let db = TestDb::new().await;
    for round in 0..5 {
        due(&db.pool).await;
        let (mut one, mut other) = (db.pool.acquire().await.unwrap(), db.pool.acquire().await.unwrap());
        let (one, other) = tokio::join!(census::take(&mut one), census::take(&mut other));
        assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1, "round {round}");
    }
    assert_eq!(number(&db.pool, "SELECT turn FROM queue_census_turn").await, 5);
}

#[tokio::test]
async fn a_process_that_lost_its_turn_stores_nothing() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let slow = census::claim(&mut conn).await.unwrap().expect("it is due");
    assert_eq!(census::claim(&mut conn).await.unwrap(), None, "it is counting");
    due(&db.pool).await;
    assert!(census::take(&mut conn).await.unwrap(), "it was given up");
    enqueue(&db.pool, &note(1)).await;
    assert!(!census::count(&mut conn, slow).await.unwrap());
    assert!(read(&db.pool).await.counted.is_empty());
}

#[tokio::test]
async fn workers_take_it_by_themselves() {
    let db = TestDb::new().await;
    sqlx::query("INSERT INTO queue_control (queue, paused_at) VALUES ('test', now())").execute(&db.pool).await.unwrap();
    enqueue(&db.pool, &note(1)).await;
    let runtime = || super::runtime(&db.pool).register(super::run(async |_, _: Note| Ok(serde_json::Value::Null)));
    let workers = [super::Worker::start(runtime()), super::Worker::start(runtime())];
    super::until(&db.pool, "SELECT coalesce(sum(ready), 0)::bigint FROM queue_census", 1).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(number(&db.pool, "SELECT turn FROM queue_census_turn").await, 1, "one of them, once in ten seconds");
}
