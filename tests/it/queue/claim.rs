//! Taking jobs out: who gets what.

use super::{Note, claim, claim_after, enqueue, note, number, worker};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::{self, ClaimError, ClaimRequest, Options, control};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

fn of(tenant: u128, n: usize) -> Note {
    Note { tenant: Some(Uuid::from_u128(tenant)), n, ..Note::default() }
}

async fn fill(db: &TestDb, tenant: u128, jobs: usize) {
    let jobs: Vec<Note> = (0..jobs).map(|n| of(tenant, n)).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &jobs).await.unwrap();
}

fn shares(claimed: &[queue::Claimed]) -> HashMap<u128, usize> {
    claimed.iter().fold(HashMap::new(), |mut shares, job| {
        *shares.entry(job.tenant.unwrap_or_default().as_u128()).or_default() += 1;
        shares
    })
}

#[tokio::test]
async fn without_a_lease_nothing_is_claimed() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let stranger = Uuid::new_v4();
    let request = ClaimRequest { worker: stranger, queue: Note::QUEUE, limit: 1, after: Uuid::nil() };
    let refused = queue::claim(&mut db.pool.acquire().await.unwrap(), request).await;
    assert!(matches!(refused, Err(ClaimError::LeaseLost(id)) if id == stranger), "{refused:?}");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job WHERE claimed_by IS NULL").await, 1);
}

#[tokio::test]
async fn a_paused_queue_and_the_future_give_nothing() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let later = Options { run_at: Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)), ..Options::default() };
    queue::enqueue_with(&mut conn, &note(0), &later).await.unwrap();
    assert!(claim(&db.pool, worker, 10).await.is_empty());

    let due = enqueue(&db.pool, &note(1)).await;
    assert!(control::pause(&mut conn, Note::QUEUE, "me").await.unwrap());
    assert!(!control::pause(&mut conn, Note::QUEUE, "me").await.unwrap(), "it is paused already");
    assert!(claim(&db.pool, worker, 10).await.is_empty());
    assert!(control::resume(&mut conn, Note::QUEUE).await.unwrap());
    assert!(!control::resume(&mut conn, Note::QUEUE).await.unwrap());
    let claimed = claim(&db.pool, worker, 10).await;
    assert_eq!(claimed.iter().map(|job| job.claim.id).collect::<Vec<_>>(), [due]);
}

#[tokio::test]
async fn a_backlog_of_one_tenant_leaves_the_others_their_share() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 500).await;
    fill(&db, 2, 3).await;
    fill(&db, 3, 1).await;
    enqueue(&db.pool, &note(0)).await; // the platform's own is a tenant, too
    let claimed = claim(&db.pool, worker, 40).await;
    assert_eq!(shares(&claimed), HashMap::from([(0, 1), (1, 35), (2, 3), (3, 1)]), "what some leave, others get");
    let seconds: Vec<usize> = claimed
        .iter()
        .filter(|job| job.tenant == Some(Uuid::from_u128(2)))
        .map(|job| serde_json::from_str::<Note>(&job.payload).unwrap().n)
        .collect();
    assert_eq!(seconds.iter().copied().collect::<HashSet<_>>(), HashSet::from([0, 1, 2]));
}

#[tokio::test]
async fn small_claims_go_round_the_tenants() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 9).await;
    fill(&db, 2, 2).await;
    fill(&db, 3, 9).await;
    let (mut after, mut order) = (Uuid::nil(), Vec::new());
    for _ in 0..8 {
        let job = claim_after(&db.pool, worker, 1, after).await.remove(0);
        after = job.tenant.unwrap();
        order.push(after.as_u128());
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 3]);
}

#[tokio::test]
async fn priority_comes_before_fairness_and_age() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 5).await;
    let urgent = Options { priority: Some(0), ..Options::default() };
    let mut conn = db.pool.acquire().await.unwrap();
    for n in 100..103 {
        queue::enqueue_with(&mut conn, &of(2, n), &urgent).await.unwrap();
    }
    assert_eq!(shares(&claim(&db.pool, worker, 3).await), HashMap::from([(2, 3)]));
    assert_eq!(shares(&claim(&db.pool, worker, 3).await), HashMap::from([(1, 3)]));
}

#[tokio::test]
async fn within_a_tenant_the_oldest_come_first() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(enqueue(&db.pool, &of(1, n)).await);
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(claim(&db.pool, worker, 1).await.remove(0).claim.id);
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn claims_at_the_same_time_never_overlap() {
    let db = TestDb::new().await;
    fill(&db, 1, 400).await;
    fill(&db, 2, 400).await;
    let claimers = (0..6).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move {
            let worker = worker(&pool).await;
            let mut mine = Vec::new();
            loop {
                let batch = claim(&pool, worker, 30).await;
                if batch.is_empty() {
                    return mine;
                }
                mine.extend(batch.into_iter().map(|job| job.claim.id));
            }
        })
    });
    let claimed: Vec<_> = futures::future::join_all(claimers).await.into_iter().flat_map(Result::unwrap).collect();
    let distinct: HashSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (800, 800));
}

#[tokio::test]
async fn a_claim_stays_on_its_page_and_touches_no_index() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db, 1, 2_000).await;
    let mut tx = db.pool.begin().await.unwrap();
    let request = ClaimRequest { worker, queue: Note::QUEUE, limit: 2_000, after: Uuid::nil() };
    assert_eq!(queue::claim(&mut tx, request).await.unwrap().len(), 2_000);
    let (updated, hot): (i64, i64) =
        sqlx::query_as("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'job'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!((updated, hot), (2_000, 2_000));
}
