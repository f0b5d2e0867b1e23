//! Putting jobs in.

use super::{APPLIED, Note, claim, enqueue, note, number, settle, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::{self, Options, Verdict};
use serde_json::Value;
use sqlx::postgres::PgListener;
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

const JOBS: &str = "SELECT count(*) FROM job";

fn keyed(key: &str) -> Note {
    Note { key: Some(key.to_owned()), ..Note::default() }
}

#[tokio::test]
async fn a_job_exists_exactly_when_its_transaction_commits() {
    let db = TestDb::new().await;
    let mut tx = db.pool.begin().await.unwrap();
    queue::enqueue(&mut tx, &note(1)).await.unwrap();
    queue::enqueue_many(&mut tx, &[note(2), note(3)]).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(number(&db.pool, JOBS).await, 0);

    let mut tx = db.pool.begin().await.unwrap();
    queue::enqueue(&mut tx, &note(1)).await.unwrap();
    queue::enqueue_many(&mut tx, &[note(2), note(3)]).await.unwrap();
    assert_eq!(number(&db.pool, JOBS).await, 0, "nobody sees it before the commit");
    tx.commit().await.unwrap();
    assert_eq!(number(&db.pool, JOBS).await, 3);
}

#[tokio::test]
async fn a_unique_job_is_returned_while_it_waits_and_runs_and_may_come_again_after() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let first = queue::enqueue(&mut conn, &keyed("k")).await.unwrap();
    assert!(!first.existing);
    let again = queue::enqueue(&mut conn, &keyed("k")).await.unwrap();
    assert_eq!((again.id, again.existing), (first.id, true));
    let tenants = Note { tenant: Some(Uuid::new_v4()), ..keyed("k") };
    assert!(!queue::enqueue(&mut conn, &tenants).await.unwrap().existing, "another tenant's key is another key");

    let worker = worker(&db.pool).await;
    let claimed = claim(&db.pool, worker, 10).await;
    let running = claimed.iter().find(|job| job.claim.id == first.id).unwrap();
    assert!(queue::enqueue(&mut conn, &keyed("k")).await.unwrap().existing, "it runs");
    assert_eq!(settle(&db.pool, running, Verdict::Done(Value::Null)).await, APPLIED);
    let next = queue::enqueue(&mut conn, &keyed("k")).await.unwrap();
    assert!(!next.existing && next.id != first.id);
}

#[tokio::test]
async fn of_many_who_enqueue_the_same_key_at_once_one_does() {
    let db = TestDb::new().await;
    let racers = (0..40).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let enqueued = queue::enqueue(&mut tx, &keyed("race")).await.unwrap();
            tx.commit().await.unwrap();
            enqueued
        })
    });
    let enqueued: Vec<_> = futures::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(enqueued.iter().filter(|job| !job.existing).count(), 1);
    assert_eq!(enqueued.iter().map(|job| job.id).collect::<HashSet<_>>().len(), 1);
    assert_eq!(number(&db.pool, JOBS).await, 1);
}

#[tokio::test]
async fn many_jobs_go_in_by_batches_and_their_answers_keep_the_order() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert!(queue::enqueue_many::<Note>(&mut conn, &[]).await.unwrap().is_empty());
    let all: Vec<Note> = (0..12_001).map(note).collect();
    let enqueued = queue::enqueue_many(&mut conn, &all).await.unwrap();
    assert_eq!(enqueued.iter().map(|job| job.id).collect::<HashSet<_>>().len(), 12_001);
    assert_eq!(number(&db.pool, JOBS).await, 12_001);

    let waiting = queue::enqueue(&mut conn, &keyed("b")).await.unwrap();
    let mixed = [note(1), keyed("a"), keyed("b"), keyed("a"), note(2)];
    let enqueued = queue::enqueue_many(&mut conn, &mixed).await.unwrap();
    let existing: Vec<bool> = enqueued.iter().map(|job| job.existing).collect();
    assert_eq!(existing, [false, false, true, true, false]);
    assert_eq!(enqueued[2].id, waiting.id);
    assert_eq!(enqueued[3].id, enqueued[1].id, "the second of two equal keys is the first");
    assert_eq!(number(&db.pool, JOBS).await, 12_001 + 4);
}

#[tokio::test]
async fn a_transaction_wakes_a_queue_once_and_only_for_what_is_due() {
    let db = TestDb::new().await;
    let mut listener = PgListener::connect(&db.url).await.unwrap();
    listener.listen("plumbline_jobs").await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let later = Options { run_at: Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)), ..Options::default() };
    queue::enqueue_with(&mut tx, &note(0), &later).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    for n in 0..5 {
        queue::enqueue(&mut tx, &note(n)).await.unwrap();
    }
    queue::enqueue_many(&mut tx, &[note(6), note(7)]).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query("NOTIFY plumbline_jobs, 'the end'").execute(&db.pool).await.unwrap();
    let mut heard = Vec::new();
    while heard.last().map(String::as_str) != Some("the end") {
        heard.push(listener.recv().await.unwrap().payload().to_owned());
    }
    assert_eq!(heard, [Note::QUEUE, "the end"]);
}

#[tokio::test]
async fn options_overrule_the_kind() {
    let db = TestDb::new().await;
    let options = Options {
        priority: Some(7),
        outcome_ttl: Some(Duration::from_mins(1)),
        request_id: Some("req_1".to_owned()),
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ..Options::default()
    };
    let mut conn = db.pool.acquire().await.unwrap();
    let id = queue::enqueue_with(&mut conn, &note(1), &options).await.unwrap().id;
    let worker = worker(&db.pool).await;
    let claimed = claim(&db.pool, worker, 1).await.remove(0);
    assert_eq!(
        (claimed.claim.id, claimed.request_id, claimed.trace_parent),
        (id, options.request_id, options.trace_parent)
    );
    assert!(claimed.has_trail, "an outcome is kept");
    assert_eq!(number(&db.pool, "SELECT priority::bigint FROM job").await, 7);
}

#[tokio::test]
async fn a_negative_priority_is_refused_by_the_database() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let refused = queue::enqueue_with(&mut conn, &note(1), &Options { priority: Some(-1), ..Options::default() }).await;
    assert!(refused.unwrap_err().to_string().contains("job_priority_is_natural"));
    enqueue(&db.pool, &note(1)).await;
}
