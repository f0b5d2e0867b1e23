//! The rescuer: what workers do beside their jobs, without a worker.

use std::time::Duration;

use jobs::queue::Lease;
use scheduler::maintenance::rescuer::{Config, Rescued, Rescuer};
use scheduler::maintenance::{Counts as _, Ground, Service as _};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ONE_TEN, TENS, number, run_sql};
use crate::support::TestDb;

/// A worker that holds a job of this budget, in its first attempt.
async fn holding(pool: &PgPool, budget: i16) -> Uuid {
    let worker = Lease::register(pool, "test", &["test".to_owned()]).await.unwrap().worker();
    sqlx::query(
        "INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, claimed_by, claimed_at, claim_no, attempt)
         VALUES ($1, $1, 50, $2, 'test_note', 'test', '{}', $3, now(), 1, 1)",
    )
    .bind(Uuid::now_v7())
    .bind(budget)
    .bind(worker)
    .execute(pool)
    .await
    .unwrap();
    worker
}

#[tokio::test]
async fn jobs_of_the_lost_are_tried_again_or_dead_and_those_of_the_living_are_left_alone() {
    let db = TestDb::new().await;
    let rescuer = Rescuer::new(&Ground::new(db.pool.clone()), Config::default()).unwrap();
    for budget in [1, 3] {
        holding(&db.pool, budget).await;
    }
    run_sql(&db.pool, "UPDATE worker SET beat_at = now() - interval '31 s'").await;
    holding(&db.pool, 3).await;
    let rescued = rescuer.run_once().await.unwrap();
    assert_eq!(rescued, Rescued { workers: 2, requeued: 1, ended: 1, ..Rescued::default() });
    assert!(rescued.is_news());
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job WHERE claimed_by IS NOT NULL").await, 1);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job WHERE reason = 'worker_lost'").await, 1);
    assert_eq!(rescuer.run_once().await.unwrap(), Rescued::default());
}

#[tokio::test]
async fn expired_outcomes_and_idle_counters_are_forgotten_a_bounded_number_at_a_time() {
    let db = TestDb::new().await;
    run_sql(
        &db.pool,
        "INSERT INTO job_outcome (job_id, state, expires_at)
         SELECT gen_random_uuid(), 'done', CASE WHEN n <= 15 THEN now() - n * interval '1 s' ELSE now() + interval '1 hour' END
           FROM generate_series(1, 18) n;
         INSERT INTO concurrency_slot (key, running) VALUES ('idle', 0), ('busy', 1)",
    )
    .await;
    let ground = Ground::new(db.pool.clone());
    let rescuer = |batches| Rescuer::new(&ground, Config { batches, ..Config::default() }).unwrap();
    let first = rescuer(ONE_TEN).run_once().await.unwrap();
    assert_eq!(first, Rescued { outcomes: 10, slots: 1, has_more: true, ..Rescued::default() });
    assert!(!first.is_news(), "this happens all day long");
    assert_eq!(rescuer(TENS).run_once().await.unwrap(), Rescued { outcomes: 5, ..Rescued::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job_outcome").await, 3);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM concurrency_slot WHERE key = 'busy'").await, 1);
}

#[tokio::test]
async fn a_row_that_somebody_else_holds_is_not_waited_for() {
    let db = TestDb::new().await;
    holding(&db.pool, 3).await;
    run_sql(&db.pool, "UPDATE worker SET beat_at = now() - interval '31 s'").await;
    let mut other = db.pool.begin().await.unwrap();
    sqlx::raw_sql("SELECT FROM worker FOR UPDATE").execute(&mut *other).await.unwrap();
    let rescuer = Rescuer::new(&Ground::new(db.pool.clone()), Config::default()).unwrap();
    let run = tokio::time::timeout(Duration::from_mins(1), rescuer.run_once()).await.expect("no wait");
    assert_eq!(run.unwrap(), Rescued::default());
    other.rollback().await.unwrap();
    assert_eq!(rescuer.run_once().await.unwrap().requeued, 1);
}
