//! What became of jobs, by the minute: every attempt is counted, also when the database would not have it for a while.

use std::time::Duration;

use super::{Note, SOON, Worker, enqueue, note, number, quick, run, until};
use crate::support::TestDb;
use jobs::queue::{Config, JobError, Signals, minutes};
use serde_json::Value;
use sqlx::{PgPool, raw_sql};
use workers::runtime::Runtime;

const COUNTED: &str = "SELECT coalesce(sum(jobs), 0)::bigint FROM queue_minute";

/// Every third job fails for good.
fn runtime(pool: &PgPool, config: Config) -> Runtime {
    Runtime::builder(pool.clone(), Signals::none(), config).register(run(async |_, job: Note| {
        if job.n.is_multiple_of(3) { Err(JobError::fail("third", "no")) } else { Ok(Value::Null) }
    }))
}

#[tokio::test]
async fn counts_survive_a_database_that_refuses_them() {
    let db = TestDb::new().await;
    raw_sql("ALTER TABLE queue_minute RENAME TO away").execute(&db.pool).await.unwrap();
    for n in 0..30 {
        enqueue(&db.pool, &note(n)).await;
    }
    let worker = Worker::start(runtime(&db.pool, quick()));
    until(&db.pool, "SELECT count(*) FROM job", 0).await;
    assert_eq!(number(&db.pool, "SELECT count(*) FROM away").await, 0, "no job waited for its counters");
    raw_sql("ALTER TABLE away RENAME TO queue_minute").execute(&db.pool).await.unwrap();
    until(&db.pool, COUNTED, 30).await;
    worker.stop().await;
    assert_eq!(number(&db.pool, COUNTED).await, 30, "and nothing twice");
    let dead = "SELECT coalesce(sum(jobs), 0)::bigint FROM queue_minute WHERE verdict = 'dead' AND kind = 'test_note'";
    assert_eq!(number(&db.pool, dead).await, 10);
}

#[tokio::test]
async fn the_last_counts_are_written_at_the_stop() {
    let db = TestDb::new().await;
    for n in 1..3 {
        enqueue(&db.pool, &note(n)).await;
    }
    let worker = Worker::start(runtime(&db.pool, Config { beat_every: SOON, ..quick() }));
    until(&db.pool, "SELECT count(*) FROM job", 0).await;
    assert_eq!(number(&db.pool, COUNTED).await, 0);
    worker.stop().await;
    let sound = "SELECT count(*) FROM queue_minute
                  WHERE jobs = 2 AND queue = 'test' AND verdict = 'done' AND ran_max_us BETWEEN 1 AND ran_us
                    AND waited_max_us BETWEEN 1 AND waited_us AND minute = date_trunc('minute', minute)";
    assert_eq!(number(&db.pool, sound).await, 1);
}

#[tokio::test]
async fn minutes_are_kept_for_a_day_and_add_up_to_rates() {
    let db = TestDb::new().await;
    raw_sql(
        "INSERT INTO queue_minute
         SELECT date_trunc('minute', now()) - age, 'test', 'test_note', 'done', 60, 6000, 1000, 600, 100
           FROM unnest(ARRAY[interval '3 minutes', '30 minutes', '2 hours', '23 hours', '25 hours', '30 days']) AS age",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let mut conn = db.pool.acquire().await.unwrap();
    let paces = minutes::last_hour(&mut conn).await.unwrap();
    let [pace] = paces.as_slice() else { panic!("{paces:?}") };
    assert_eq!((pace.jobs_5, pace.jobs_60), (60, 120));
    assert!((pace.ran_ms - 12.0).abs() < 1e-6 && (pace.ran_max_ms - 1.0).abs() < 1e-6, "{pace:?}");
    assert!((0.0..1.0).contains(&pace.begun));
    assert_eq!(minutes::expire(&mut conn).await.unwrap(), 2);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM queue_minute").await, 4);
    assert_eq!(minutes::expire(&mut conn).await.unwrap(), 0);
}

#[tokio::test]
async fn processes_that_flush_at_once_add_up() {
    let db = TestDb::new().await;
    for n in 0..40 {
        enqueue(&db.pool, &note(n)).await;
    }
    let quickly = || Config { beat_every: Duration::from_millis(5), ..quick() };
    let workers = [Worker::start(runtime(&db.pool, quickly())), Worker::start(runtime(&db.pool, quickly()))];
    until(&db.pool, COUNTED, 40).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(number(&db.pool, COUNTED).await, 40);
}
