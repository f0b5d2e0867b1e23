//! The hot statements go by their indexes beside 100,000 waiting jobs: no table scan, and no more rows touched than handled.
//!
//! What a statement did is read from the session's own statistics, which hold for statements in functions, too. They are handed on
//! now and then, so only differences within a transaction mean anything.

use super::{Note, claim, enqueue, note, number, request, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::{self, ClaimRequest, Look, Settlement, Stream, Verdict, control};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::time::Duration;

const WAITING: i64 = 100_000;

/// 100,000 jobs of fifty tenants, as quickly as they can be made, with the statistics that autovacuum would have taken.
async fn crowd(pool: &PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query(
        "INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, run_at)
         SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((n % 50 + 1)::text, 12, '0'))::uuid, 50, 3, $1, $2, '{}',
                now() - n * interval '1 millisecond'
           FROM generate_series(1, $3) n",
    )
    .bind(Note::KIND)
    .bind(Note::QUEUE)
    .bind(WAITING)
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query("ANALYZE job").execute(&mut *conn).await.unwrap();
}

/// Scans of the whole table, and rows fetched through indexes, by this session so far.
async fn effort(conn: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as("SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'job'")
        .fetch_one(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn claims_settlements_and_cancellations_touch_what_they_handle() {
    let db = TestDb::new().await;
    crowd(&db.pool).await;
    let worker = worker(&db.pool).await;
    for look in ["everywhere", "known"] {
        let mut tx = db.pool.begin().await.unwrap();
        let after = Stream::default();
        let first = queue::claim(&mut tx, request(worker, 1, &after)).await.unwrap().jobs.remove(0);
        let known = [(first.stream.clone(), first.run_at)];
        let (scanned, before) = effort(&mut tx).await;
        let request = match look {
            "known" => ClaimRequest { look: Look::Known(&known), ..request(worker, 500, &after) },
            _ => request(worker, 500, &after),
        };
        let claimed = queue::claim(&mut tx, request).await.unwrap().jobs;
        assert_eq!(claimed.len(), 500);
        let (scans, claiming) = effort(&mut tx).await;
        assert_eq!(scans, scanned, "{look}");
        // Each job is found once and updated once; each of the fifty tenants is probed a few times.
        assert!(claiming - before <= 2 * 500 + 50 * 6, "{look}: {} rows", claiming - before);

        let done: Vec<Settlement> = claimed[..400]
            .iter()
            .map(|job| Settlement { claim: job.claim, has_trail: job.has_trail, verdict: Verdict::Done(Value::Null) })
            .collect();
        assert_eq!(queue::settle(&mut tx, &done).await.unwrap().applied, 400);
        let (scans, acknowledging) = effort(&mut tx).await;
        assert_eq!((scans, acknowledging - claiming), (scanned, 400), "{look}");
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn the_rarer_ends_go_by_the_primary_key() {
    let db = TestDb::new().await;
    crowd(&db.pool).await;
    let worker = worker(&db.pool).await;
    let claimed = claim(&db.pool, worker, 100).await;
    let failure = queue::Failure::new("boom", "it broke");
    let verdicts = [
        Verdict::Done(Value::Null),
        Verdict::Retry { delay: Duration::ZERO, failure: failure.clone() },
        Verdict::Dead { reason: queue::DeathReason::FailedForGood, failure },
        Verdict::Cancelled { reason: "test".to_owned() },
    ];
    for verdict in verdicts {
        let mut tx = db.pool.begin().await.unwrap();
        let batch: Vec<Settlement> = claimed
            .iter()
            .map(|job| Settlement { claim: job.claim, has_trail: true, verdict: verdict.clone() })
            .collect();
        let before = effort(&mut tx).await;
        assert_eq!(queue::settle(&mut tx, &batch).await.unwrap().applied, 100);
        let after = effort(&mut tx).await;
        assert_eq!(after.0, before.0, "{}", verdict.name());
        // Each is found; one that goes back is looked at once more for the counters it was in.
        assert!(after.1 - before.1 <= 250, "{}: {} rows", verdict.name(), after.1 - before.1);
        tx.rollback().await.unwrap();
    }
    let waiting = enqueue(&db.pool, &note(1)).await;
    let mut tx = db.pool.begin().await.unwrap();
    let before = effort(&mut tx).await;
    control::cancel(&mut tx, waiting, "test").await.unwrap();
    control::cancel(&mut tx, claimed[0].claim.id, "test").await.unwrap();
    let after = effort(&mut tx).await;
    assert!(after.0 == before.0 && after.1 - before.1 <= 4, "{before:?}, then {after:?}");
}

/// There is no index on who holds a job, since every claim would have to write it; see `rescue`. So a rescue looks through its queue's
/// jobs once, whatever it finds, and not once for each.
#[tokio::test]
async fn a_rescue_looks_through_its_queue_once() {
    let db = TestDb::new().await;
    crowd(&db.pool).await;
    let worker = worker(&db.pool).await;
    assert_eq!(claim(&db.pool, worker, 200).await.len(), 200);
    let rows = async |conn: &mut PgConnection| {
        let rows = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'job'";
        sqlx::query_scalar::<_, i64>(rows).fetch_one(conn).await.unwrap()
    };
    let mut tx = db.pool.begin().await.unwrap();
    let before = rows(&mut tx).await;
    let rescued = queue::rescue(&mut tx, Duration::ZERO).await.unwrap();
    assert_eq!((rescued.workers, rescued.requeued), (1, 200));
    let read = rows(&mut tx).await - before;
    // Once for what it holds, once to see that nothing is left.
    assert!(read <= 2 * WAITING + 1_000, "{read} rows");
    drop(tx);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job").await, WAITING);
}
