//! Writing down how jobs ended: fences, retries, snoozes, deaths, cancellations.

use super::{APPLIED, Ask, STALE, claim, enqueue, note, number, request, settle, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::control::{Cancellation, cancel};
use jobs::queue::{self, ClaimRequest, DeathReason, Failure, Settled, Settlement, Stream, Verdict, dead};
use serde_json::Value;
use std::time::Duration;

const JOBS: &str = "SELECT count(*) FROM job";
const ERRORS: &str = "SELECT count(*) FROM job_error";
const DEAD: &str = "SELECT count(*) FROM dead_job";
const SPENT: &str = "SELECT attempt::bigint FROM job";

fn failed(delay: Duration) -> Verdict {
    Verdict::Retry { delay, failure: Failure::new("boom", "it broke") }
}

fn died() -> Verdict {
    Verdict::Dead { reason: DeathReason::AttemptsExhausted, failure: Failure::new("boom", "it broke for good") }
}

#[tokio::test]
async fn a_stale_settlement_of_any_sort_changes_nothing_and_says_so() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let (slow, quick) = (worker(&db.pool).await, worker(&db.pool).await);
    let lost = claim(&db.pool, slow, 1).await.remove(0);
    assert_eq!(settle(&db.pool, &lost, Verdict::HandBack).await, APPLIED);
    let current = claim(&db.pool, quick, 1).await.remove(0);

    let verdicts = [
        Verdict::Done(Value::Null),
        failed(Duration::ZERO),
        Verdict::Snooze { delay: Duration::ZERO },
        Verdict::HandBack,
        died(),
        Verdict::Cancelled { reason: "x".to_owned() },
    ];
    for verdict in verdicts {
        assert_eq!(settle(&db.pool, &lost, verdict.clone()).await, STALE, "{verdict:?} of another worker's claim");
        // The right worker with the wrong number of the claim, and the reverse.
        let mut forged = current.clone();
        forged.claim.claim_no = lost.claim.claim_no;
        assert_eq!(settle(&db.pool, &forged, verdict.clone()).await, STALE, "{verdict:?} of an old claim");
        forged.claim = queue::Claim { worker: slow, ..current.claim };
        assert_eq!(settle(&db.pool, &forged, verdict.clone()).await, STALE, "{verdict:?} under a wrong worker");
    }
    let mut conn = db.pool.acquire().await.unwrap();
    assert!(!queue::hold(&mut conn, &lost.claim).await.unwrap());
    assert!(queue::hold(&mut conn, &current.claim).await.unwrap());
    assert_eq!((number(&db.pool, ERRORS).await, number(&db.pool, DEAD).await), (0, 0));
    assert_eq!(settle(&db.pool, &current, Verdict::Done(Value::Null)).await, APPLIED);
    assert_eq!(number(&db.pool, JOBS).await, 0);
}

#[tokio::test]
async fn a_batch_may_be_written_twice_and_mixes_all_sorts() {
    let db = TestDb::new().await;
    let all: Vec<_> = (0..6).map(note).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &all).await.unwrap();
    let worker = worker(&db.pool).await;
    let verdicts = [
        Verdict::Done(Value::Null),
        failed(Duration::from_mins(1)),
        Verdict::Snooze { delay: Duration::from_mins(1) },
        Verdict::HandBack,
        died(),
        Verdict::Cancelled { reason: "x".to_owned() },
    ];
    let batch: Vec<Settlement> = claim(&db.pool, worker, 6)
        .await
        .iter()
        .zip(verdicts)
        .map(|(job, verdict)| Settlement { claim: job.claim, has_trail: job.has_trail, verdict })
        .collect();
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(queue::settle(&mut conn, &batch).await.unwrap(), Settled { applied: 6, stale: 0 });
    assert_eq!(queue::settle(&mut conn, &batch).await.unwrap(), Settled { applied: 0, stale: 6 });
    assert_eq!(number(&db.pool, JOBS).await, 3, "retried, snoozed and handed back");
    assert_eq!((number(&db.pool, ERRORS).await, number(&db.pool, DEAD).await), (1, 1));
    assert_eq!(claim(&db.pool, worker, 6).await.len(), 1, "only what was handed back is due");
}

#[tokio::test]
async fn a_retry_waits_in_the_database_and_its_errors_go_when_it_succeeds() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let worker = worker(&db.pool).await;
    let job = claim(&db.pool, worker, 1).await.remove(0);
    assert_eq!(settle(&db.pool, &job, failed(Duration::from_hours(1))).await, APPLIED);
    assert!(claim(&db.pool, worker, 1).await.is_empty(), "its time has not come");
    let wait = "SELECT round(extract(epoch FROM run_at - now()))::bigint FROM job";
    assert!((3_590..=3_600).contains(&number(&db.pool, wait).await));

    sqlx::query("UPDATE job SET run_at = now()").execute(&db.pool).await.unwrap();
    let again = claim(&db.pool, worker, 1).await.remove(0);
    assert_eq!((again.attempt, again.claim.claim_no, again.has_trail), (2, 2, true));
    assert_eq!(number(&db.pool, ERRORS).await, 1);
    assert_eq!(settle(&db.pool, &again, Verdict::Done(Value::Null)).await, APPLIED);
    assert_eq!((number(&db.pool, JOBS).await, number(&db.pool, ERRORS).await), (0, 0));
}

#[tokio::test]
async fn a_snooze_and_a_hand_back_spend_no_attempt_but_move_the_fence() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let worker = worker(&db.pool).await;
    for round in 1..=5 {
        let job = claim(&db.pool, worker, 1).await.remove(0);
        assert_eq!((job.attempt, job.claim.claim_no), (1, round));
        let verdict = if round % 2 == 0 { Verdict::HandBack } else { Verdict::Snooze { delay: Duration::ZERO } };
        assert_eq!(settle(&db.pool, &job, verdict).await, APPLIED);
        assert_eq!(number(&db.pool, SPENT).await, 0);
    }
    assert_eq!(number(&db.pool, ERRORS).await, 0);
}

#[tokio::test]
async fn the_dead_keep_every_attempts_error() {
    let db = TestDb::new().await;
    let id = enqueue(&db.pool, &note(7)).await;
    let worker = worker(&db.pool).await;
    for n in 1..=2 {
        let job = claim(&db.pool, worker, 1).await.remove(0);
        let failure =
            Failure { details: Some(serde_json::json!({"n": n})), ..Failure::new("boom", format!("fault {n}")) };
        settle(&db.pool, &job, Verdict::Retry { delay: Duration::ZERO, failure }).await;
    }
    let job = claim(&db.pool, worker, 1).await.remove(0);
    assert_eq!((job.attempt, job.max_attempts), (3, 3));
    assert_eq!(settle(&db.pool, &job, died()).await, APPLIED);

    let mut conn = db.pool.acquire().await.unwrap();
    let dead = dead::get(&mut conn, id).await.unwrap().unwrap();
    assert_eq!((dead.kind.as_str(), dead.reason.as_str(), dead.attempt), ("test_note", "attempts_exhausted", 3));
    assert_eq!((dead.error_class.as_str(), dead.error.as_str()), ("boom", "it broke for good"));
    let errors = dead.errors.as_array().unwrap();
    let told: Vec<_> = errors.iter().map(|e| (e["attempt"].as_i64().unwrap(), e["error"].as_str().unwrap())).collect();
    assert_eq!(told, [(1, "fault 1"), (2, "fault 2"), (3, "it broke for good")]);
    assert_eq!(errors[1]["details"], serde_json::json!({"n": 2}));
    assert!(errors.iter().all(|e| e["failed_at"].is_string() && e["worker_id"] == worker.to_string()));
    assert!(dead.payload.contains("\"n\":7"));
    assert_eq!((number(&db.pool, JOBS).await, number(&db.pool, ERRORS).await), (0, 0));
}

#[tokio::test]
async fn cancelling_ends_what_waits_and_asks_what_runs() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(cancel(&mut conn, jobs::ids::JobId::new(), "x").await.unwrap(), Cancellation::NotFound);
    let waiting = enqueue(&db.pool, &note(1)).await;
    assert_eq!(cancel(&mut conn, waiting, "x").await.unwrap(), Cancellation::Cancelled);
    assert_eq!(cancel(&mut conn, waiting, "x").await.unwrap(), Cancellation::NotFound);

    let worker = worker(&db.pool).await;
    // However a job ends that was asked to be cancelled: it is neither tried again nor dead.
    for verdict in [failed(Duration::ZERO), Verdict::HandBack, died(), Verdict::Cancelled { reason: "y".to_owned() }] {
        let running = enqueue(&db.pool, &note(1)).await;
        let job = claim(&db.pool, worker, 1).await.remove(0);
        for _ in 0..2 {
            assert_eq!(cancel(&mut conn, running, "x").await.unwrap(), Cancellation::Requested);
        }
        assert_eq!(settle(&db.pool, &job, verdict).await, APPLIED);
        assert_eq!((number(&db.pool, JOBS).await, number(&db.pool, DEAD).await), (0, 0));
    }
}

#[tokio::test]
async fn outcomes_are_kept_for_kinds_that_are_awaited_and_expire() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &Ask::default()).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let after = Stream::default();
    let request = ClaimRequest { queue: Ask::QUEUE, ..request(worker, 1, &after) };
    let job = queue::claim(&mut conn, request).await.unwrap().jobs.remove(0);
    assert_eq!(settle(&db.pool, &job, Verdict::Done(Value::from(42))).await, APPLIED);
    assert_eq!(number(&db.pool, "SELECT (result)::bigint FROM job_outcome").await, 42);
    assert_eq!(queue::expire_outcomes(&mut conn, None, 10).await.unwrap().done, 0);
    sqlx::query("UPDATE job_outcome SET expires_at = now() - interval '1 s'").execute(&db.pool).await.unwrap();
    assert_eq!(queue::expire_outcomes(&mut conn, None, 10).await.unwrap().done, 1);
}
