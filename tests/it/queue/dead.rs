//! Replaying the dead.

use super::{APPLIED, Note, claim, enqueue, note, number, settle, worker};
use crate::support::TestDb;
use jobs::ids::JobId;
use jobs::queue::control::{Cancellation, cancel};
use jobs::queue::dead::{self, DeadJob, Replay, replay};
use jobs::queue::{self, DeathReason, Failure, Verdict};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

async fn die(pool: &PgPool, worker: Uuid, error: &str) -> JobId {
    let job = claim(pool, worker, 1).await.remove(0);
    let failure = Failure::new("boom", error);
    assert_eq!(settle(pool, &job, Verdict::Dead { reason: DeathReason::FailedForGood, failure }).await, APPLIED);
    job.claim.id
}

async fn replay_now(pool: &PgPool, id: JobId) -> Replay {
    replay(&mut pool.acquire().await.unwrap(), id).await.unwrap()
}

async fn get(pool: &PgPool, id: JobId) -> Option<DeadJob> {
    dead::get(&mut pool.acquire().await.unwrap(), id).await.unwrap()
}

#[tokio::test]
async fn what_is_not_dead_is_not_replayed() {
    let db = TestDb::new().await;
    let alive = enqueue(&db.pool, &note(1)).await;
    assert_eq!(replay_now(&db.pool, alive).await, Replay::NotDead);
    assert_eq!(replay_now(&db.pool, JobId::new()).await, Replay::NotDead);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job").await, 1);
}

#[tokio::test]
async fn a_replay_has_a_fresh_budget_and_its_success_ends_the_dead_row() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(5)).await;
    let dead_id = die(&db.pool, worker, "first death").await;
    let Replay::Enqueued(replayed) = replay_now(&db.pool, dead_id).await else { panic!("it is dead") };
    assert_eq!(replay_now(&db.pool, dead_id).await, Replay::Running(replayed), "once at a time");
    let job = claim(&db.pool, worker, 1).await.remove(0);
    assert_eq!((job.claim.id, job.attempt, job.max_attempts), (replayed, 1, 3));
    assert!(job.payload.contains("\"n\":5"));
    assert!(get(&db.pool, dead_id).await.is_some(), "kept until the replay succeeds");
    assert_eq!(settle(&db.pool, &job, Verdict::Done(Value::Null)).await, APPLIED);
    assert_eq!(get(&db.pool, dead_id).await, None);
}

#[tokio::test]
async fn a_replay_that_dies_takes_over_errors_and_lineage() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(1)).await;
    let first = die(&db.pool, worker, "one").await;
    replay_now(&db.pool, first).await;
    let second = die(&db.pool, worker, "two").await;
    replay_now(&db.pool, second).await;
    let third = die(&db.pool, worker, "three").await;
    assert_eq!((get(&db.pool, first).await, get(&db.pool, second).await), (None, None));
    let dead = get(&db.pool, third).await.unwrap();
    assert_eq!(dead.lineage, [first.uuid(), second.uuid()]);
    let errors: Vec<_> = dead.errors.as_array().unwrap().iter().map(|e| e["error"].as_str().unwrap()).collect();
    assert_eq!(errors, ["one", "two", "three"]);
    assert_eq!(dead.replay_job_id, None, "it may be replayed again");
}

#[tokio::test]
async fn a_cancelled_replay_leaves_the_dead_as_it_was() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(1)).await;
    let dead_id = die(&db.pool, worker, "x").await;
    for running in [false, true] {
        let Replay::Enqueued(replayed) = replay_now(&db.pool, dead_id).await else { panic!("it is dead") };
        let claimed = if running { claim(&db.pool, worker, 1).await } else { Vec::new() };
        let cancelled = cancel(&mut db.pool.acquire().await.unwrap(), replayed, "y").await.unwrap();
        assert_eq!(cancelled, if running { Cancellation::Requested } else { Cancellation::Cancelled });
        for job in &claimed {
            settle(&db.pool, job, Verdict::HandBack).await;
        }
        assert_eq!(get(&db.pool, dead_id).await.unwrap().replay_job_id, None);
    }
}

#[tokio::test]
async fn a_replay_yields_to_a_job_with_its_unique_key() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let keyed = Note { key: Some("k".to_owned()), ..note(1) };
    enqueue(&db.pool, &keyed).await;
    let dead_id = die(&db.pool, worker, "x").await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert!(!queue::enqueue(&mut conn, &keyed).await.unwrap().existing, "the dead do not hold their key");
    assert_eq!(replay_now(&db.pool, dead_id).await, Replay::Superseded);
    assert_eq!(get(&db.pool, dead_id).await.unwrap().replay_job_id, None);
}
