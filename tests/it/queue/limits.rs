//! Limits on running jobs: exact, whatever happens to the jobs.

use super::{APPLIED, Note, SOON, Worker, claim, enqueue, note, number, quick, run, settle, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::limit::{self, Limit, Per};
use jobs::queue::{self, Claimed, DeathReason, Failure, Signals, Verdict, control};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;
use workers::runtime::Runtime;

const RUNNING: &str = "SELECT coalesce(sum(running), 0)::bigint FROM concurrency_slot";

fn of(tenant: u128, n: usize) -> Note {
    Note { tenant: Some(Uuid::from_u128(tenant)), n, ..Note::default() }
}

async fn fill(db: &TestDb, tenant: u128, jobs: usize) {
    let jobs: Vec<Note> = (0..jobs).map(|n| of(tenant, n)).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &jobs).await.unwrap();
}

async fn set(db: &TestDb, kind: &str, per: Per, tenant: Uuid, max_running: i32) {
    let limit = Limit { kind: kind.to_owned(), per, tenant, max_running };
    limit::set(&mut db.pool.acquire().await.unwrap(), &limit, "test").await.unwrap();
}

fn of_tenant(claimed: &[Claimed], tenant: u128) -> usize {
    claimed.iter().filter(|job| job.stream.tenant == Uuid::from_u128(tenant)).count()
}

#[tokio::test]
async fn a_tenant_at_its_limit_leaves_its_share_to_the_others() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 50).await;
    fill(&db, 2, 50).await;
    enqueue(&db.pool, &note(0)).await; // the platform is no tenant and has no limit
    set(&db, Note::KIND, Per::Tenant, Uuid::nil(), 3).await;
    set(&db, Note::KIND, Per::Tenant, Uuid::from_u128(2), 20).await;
    let claimed = claim(&db.pool, worker, 40).await;
    assert_eq!((of_tenant(&claimed, 1), of_tenant(&claimed, 2), claimed.len()), (3, 20, 24));
    assert!(claim(&db.pool, worker, 40).await.is_empty());
    assert_eq!(number(&db.pool, RUNNING).await, 23);
    let one = claimed.iter().find(|job| job.stream.tenant == Uuid::from_u128(1)).unwrap();
    assert_eq!(settle(&db.pool, one, Verdict::Done(Value::Null)).await, APPLIED);
    let next = claim(&db.pool, worker, 40).await;
    assert_eq!((of_tenant(&next, 1), next.len()), (1, 1));
}

#[tokio::test]
async fn limits_of_the_fleet_hold_for_one_kind_or_for_all_and_zero_stops() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 10).await;
    fill(&db, 2, 10).await;
    set(&db, Note::KIND, Per::Fleet, Uuid::nil(), 5).await;
    set(&db, "", Per::Fleet, Uuid::nil(), 4).await;
    set(&db, "another_kind", Per::Fleet, Uuid::nil(), 0).await;
    let claimed = claim(&db.pool, worker, 40).await;
    assert_eq!((of_tenant(&claimed, 1), of_tenant(&claimed, 2)), (2, 2));
    let mut conn = db.pool.acquire().await.unwrap();
    assert!(limit::remove(&mut conn, "", Per::Fleet, Uuid::nil()).await.unwrap());
    assert!(!limit::remove(&mut conn, "", Per::Fleet, Uuid::nil()).await.unwrap());
    assert_eq!(claim(&db.pool, worker, 40).await.len(), 1);
    set(&db, Note::KIND, Per::Fleet, Uuid::nil(), 0).await;
    settle(&db.pool, &claimed[0], Verdict::Done(Value::Null)).await;
    assert!(claim(&db.pool, worker, 40).await.is_empty());
    assert_eq!(limit::list(&mut conn, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn however_a_run_ends_it_leaves_its_slots() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    set(&db, Note::KIND, Per::Tenant, Uuid::nil(), 100).await;
    set(&db, "", Per::Fleet, Uuid::nil(), 100).await;
    fill(&db, 1, 6).await;
    let claimed = claim(&db.pool, worker, 10).await;
    assert_eq!(number(&db.pool, RUNNING).await, 12);
    let failure = Failure::new("boom", "it broke");
    let ends = [
        Verdict::Done(Value::Null),
        Verdict::Retry { delay: Duration::ZERO, failure: failure.clone() },
        Verdict::Snooze { delay: Duration::ZERO },
        Verdict::HandBack,
        Verdict::Dead { reason: DeathReason::FailedForGood, failure: failure.clone() },
        Verdict::Cancelled { reason: "test".to_owned() },
    ];
    for (number_of_ends, (job, verdict)) in claimed.iter().zip(ends).enumerate() {
        assert_eq!(settle(&db.pool, job, verdict.clone()).await, APPLIED, "{verdict:?}");
        let left = 12 - 2 * (i64::try_from(number_of_ends).unwrap() + 1);
        assert_eq!(number(&db.pool, RUNNING).await, left, "{verdict:?}");
        settle(&db.pool, job, verdict.clone()).await;
        assert_eq!(number(&db.pool, RUNNING).await, left, "twice {verdict:?}");
    }
    // A running job that is to be cancelled, and a worker that is lost.
    let again = claim(&db.pool, worker, 10).await;
    assert_eq!(again.len(), 3);
    let mut conn = db.pool.acquire().await.unwrap();
    control::cancel(&mut conn, again[0].claim.id, "test").await.unwrap();
    settle(&db.pool, &again[0], Verdict::Retry { delay: Duration::ZERO, failure }).await;
    queue::rescue(&mut conn, Duration::ZERO).await.unwrap();
    assert_eq!(number(&db.pool, RUNNING).await, 0);
    assert_eq!(limit::sweep_slots(&mut conn, 1_000).await.unwrap(), 2);
}

#[tokio::test]
async fn claims_at_the_same_time_never_exceed_a_limit() {
    let db = TestDb::new().await;
    set(&db, Note::KIND, Per::Tenant, Uuid::nil(), 3).await;
    fill(&db, 1, 300).await;
    fill(&db, 2, 300).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
            let runtime = Runtime::builder(db.pool.clone(), Signals::none(), quick());
            Worker::start(runtime.register(run(move |_, job: Note| {
                let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
                async move {
                    if job.tenant == Some(Uuid::from_u128(1)) {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                    Ok(Value::Null)
                }
            })))
        })
        .collect();
    tokio::time::timeout(SOON, async {
        while number(&db.pool, "SELECT count(*) FROM job").await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for worker in workers {
        assert!(worker.stop().await.clean);
    }
    assert_eq!(done.load(Ordering::SeqCst), 600);
    assert_eq!(number(&db.pool, RUNNING).await, 0);
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?} at once");
}
