//! Workers that are lost, and what becomes of what they held.

use super::{APPLIED, Note, STALE, claim, enqueue, note, number, settle, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::{self, Lease, Rescued, Verdict, dead, rescue};
use serde_json::Value;
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(30);

/// What `kill -9` and a stopped process leave behind: a row that nobody beats.
async fn fall_silent(pool: &PgPool, worker: Uuid) {
    sqlx::query("UPDATE worker SET beat_at = now() - interval '31 s' WHERE id = $1")
        .bind(worker)
        .execute(pool)
        .await
        .unwrap();
}

async fn rescue_now(pool: &PgPool) -> Rescued {
    rescue(&mut pool.acquire().await.unwrap(), LEASE).await.unwrap()
}

#[tokio::test]
async fn only_the_silent_are_rescued_and_the_lost_attempt_counts() {
    let db = TestDb::new().await;
    let all: Vec<_> = (0..4).map(note).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &all).await.unwrap();
    let (lost, alive) = (worker(&db.pool).await, worker(&db.pool).await);
    let taken = claim(&db.pool, lost, 2).await;
    let kept = claim(&db.pool, alive, 2).await;
    assert_eq!(rescue_now(&db.pool).await, Rescued::default());
    fall_silent(&db.pool, lost).await;
    assert_eq!(rescue_now(&db.pool).await, Rescued { workers: 1, requeued: 2, ended: 0 });
    assert_eq!(rescue_now(&db.pool).await, Rescued::default());

    let again = claim(&db.pool, alive, 10).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|job| job.attempt == 2));
    for job in &taken {
        assert_eq!(settle(&db.pool, job, Verdict::Done(Value::Null)).await, STALE, "its time is over");
    }
    for job in kept.iter().chain(&again) {
        assert_eq!(settle(&db.pool, job, Verdict::Done(Value::Null)).await, APPLIED);
    }
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job_error").await, 0);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_dead_after_its_budget() {
    let db = TestDb::new().await;
    let poison = enqueue(&db.pool, &note(1)).await;
    for attempt in 1..=Note::MAX_ATTEMPTS {
        let worker = worker(&db.pool).await;
        assert_eq!(claim(&db.pool, worker, 1).await.remove(0).attempt, attempt);
        fall_silent(&db.pool, worker).await;
        let rescued = rescue_now(&db.pool).await;
        let last = attempt == Note::MAX_ATTEMPTS;
        assert_eq!((rescued.requeued, rescued.ended), if last { (0, 1) } else { (1, 0) });
    }
    let dead = dead::get(&mut db.pool.acquire().await.unwrap(), poison).await.unwrap().unwrap();
    assert_eq!((dead.reason.as_str(), dead.error_class.as_str()), ("worker_lost", "worker_lost"));
    assert_eq!(dead.errors.as_array().unwrap().len(), 3);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job").await, 0);
}

#[tokio::test]
async fn rescuers_at_the_same_time_share_the_work() {
    let db = TestDb::new().await;
    for n in 0..8 {
        enqueue(&db.pool, &note(n)).await;
        let worker = worker(&db.pool).await;
        assert_eq!(claim(&db.pool, worker, 1).await.len(), 1);
        fall_silent(&db.pool, worker).await;
    }
    let rescuers = (0..4).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move { rescue_now(&pool).await })
    });
    let rescued: Vec<Rescued> = futures::future::join_all(rescuers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(rescued.iter().map(|r| (r.workers, r.requeued)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (8, 8));
    assert_eq!(number(&db.pool, "SELECT sum(attempt)::bigint FROM job WHERE claimed_by IS NULL").await, 8);
}

#[tokio::test]
async fn whoever_was_given_up_learns_it_and_works_on_under_a_new_id() {
    let db = TestDb::new().await;
    let lease = Lease::register(&db.pool, "test", &[Note::QUEUE.to_owned()]).await.unwrap();
    let old = lease.worker();
    assert_eq!(lease.beat(&db.pool, &[]).await.unwrap().lost, None);
    fall_silent(&db.pool, old).await;
    rescue_now(&db.pool).await;
    assert_eq!(lease.beat(&db.pool, &[]).await.unwrap().lost, Some(old));
    assert_ne!(lease.worker(), old);
    assert_eq!(lease.beat(&db.pool, &[]).await.unwrap().lost, None);
    enqueue(&db.pool, &note(1)).await;
    assert_eq!(claim(&db.pool, lease.worker(), 1).await.len(), 1);
    // A process that ends leaves no row.
    lease.release(&db.pool).await.unwrap();
    assert_eq!(number(&db.pool, "SELECT count(*) FROM worker").await, 0);
}

#[tokio::test]
async fn a_job_under_hold_is_left_until_it_is_let_go_and_delays_no_other() {
    let db = TestDb::new().await;
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &[note(1), note(2)]).await.unwrap();
    let worker = worker(&db.pool).await;
    let jobs = claim(&db.pool, worker, 2).await;
    fall_silent(&db.pool, worker).await;
    // Its process froze in the middle of an effect.
    let mut tx = db.pool.begin().await.unwrap();
    assert!(queue::hold(&mut tx, &jobs[0].claim).await.unwrap());
    assert_eq!(rescue_now(&db.pool).await, Rescued { workers: 0, requeued: 1, ended: 0 });
    assert_eq!(rescue_now(&db.pool).await, Rescued::default());
    tx.commit().await.unwrap();
    assert_eq!(rescue_now(&db.pool).await, Rescued { workers: 1, requeued: 1, ended: 0 });
    for job in &jobs {
        assert!(!queue::hold(&mut db.pool.acquire().await.unwrap(), &job.claim).await.unwrap());
    }
}
