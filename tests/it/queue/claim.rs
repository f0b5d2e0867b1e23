//! Taking jobs out: who gets what.

use super::{Note, claim, claim_after, enqueue, note, number, request, worker};
use crate::support::TestDb;
use jobs::kinds::Job;
use jobs::queue::{self, ClaimError, ClaimRequest, Look, Options, Stream, control};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

fn of(tenant: u128, n: usize) -> Note {
    Note { tenant: Some(Uuid::from_u128(tenant)), n, ..Note::default() }
}

/// A job of a concurrency group, in the queue of the notes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Grouped {
    tenant: Uuid,
    group: u8,
    n: usize,
}

impl Job for Grouped {
    const KIND: &'static str = "test_grouped";
    const QUEUE: &'static str = Note::QUEUE;
    const MAX_ATTEMPTS: i16 = 3;
    const TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);

    fn tenant(&self) -> Option<Uuid> {
        Some(self.tenant)
    }

    fn group(&self) -> Option<String> {
        Some(self.group.to_string())
    }
}

async fn fill(db: &TestDb, tenant: u128, jobs: usize) {
    let jobs: Vec<Note> = (0..jobs).map(|n| of(tenant, n)).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &jobs).await.unwrap();
}

fn shares(claimed: &[queue::Claimed]) -> HashMap<u128, usize> {
    claimed.iter().fold(HashMap::new(), |mut shares, job| {
        *shares.entry(job.stream.tenant.as_u128()).or_default() += 1;
        shares
    })
}

#[tokio::test]
async fn without_a_lease_nothing_is_claimed() {
    let db = TestDb::new().await;
    enqueue(&db.pool, &note(1)).await;
    let stranger = Uuid::new_v4();
    let refused = queue::claim(&mut db.pool.acquire().await.unwrap(), request(stranger, 1, &Stream::default())).await;
    assert!(matches!(refused, Err(ClaimError::LeaseLost(id)) if id == stranger), "{refused:?}");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job WHERE claimed_by IS NULL").await, 1);
}

#[tokio::test]
async fn only_a_claim_that_takes_something_waits_for_the_disk() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    for waits in ["off", "on"] {
        let mut tx = db.pool.begin().await.unwrap();
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *tx).await.unwrap();
        queue::claim(&mut tx, request(worker, 1, &Stream::default())).await.unwrap();
        let waited: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(waited, waits);
        tx.rollback().await.unwrap();
        enqueue(&db.pool, &note(1)).await;
    }
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

/// A queue with few jobs is read in another way than one with many.
#[tokio::test]
async fn few_jobs_are_found_in_the_order_of_many() {
    let db = TestDb::new().await;
    let mut tx = db.pool.begin().await.unwrap();
    for jobs in (0..=17).cycle().take(180) {
        sqlx::query("DELETE FROM job").execute(&mut *tx).await.unwrap();
        sqlx::query(
            "INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, concurrency_group, run_at)
             SELECT gen_random_uuid(), lpad(floor(random() * 4)::text, 32, '0')::uuid, 50 + floor(random() * 2), 3,
                    'k' || floor(random() * 2), $1, '{}', (ARRAY['', 'a', 'b'])[ceil(random() * 3)],
                    now() + floor(random() * 4 - 3) * interval '1 second'
               FROM generate_series(1, $2)",
        )
        .bind(Note::QUEUE)
        .bind(jobs)
        .execute(&mut *tx)
        .await
        .unwrap();
        let (few, many, after): (Option<String>, String, String) = sqlx::query_as(
            "SELECT few_streams($1, size, after)::text, queue_streams($1, size, after, false)::text, after::text
               FROM (SELECT 1 + floor(random() * 20)::integer AS size,
                            (0, lpad(floor(random() * 4)::text, 32, '0'), kind, CASE kind WHEN '' THEN '' ELSE 'a' END,
                             NULL)::job_stream AS after
                       FROM (SELECT (ARRAY['', 'k0', 'k1'])[ceil(random() * 3)] AS kind OFFSET 0) k OFFSET 0) a",
        )
        .bind(Note::QUEUE)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert_eq!(few, Some(many).filter(|_| jobs <= 16), "after {after}");
    }
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
        .filter(|job| job.tenant() == Some(Uuid::from_u128(2)))
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
    let (mut after, mut order) = (Stream::default(), Vec::new());
    for _ in 0..8 {
        let job = claim_after(&db.pool, worker, 1, &after).await.remove(0);
        after = job.stream;
        order.push(after.tenant.as_u128());
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
    let claimed = queue::claim(&mut tx, request(worker, 2_000, &Stream::default())).await.unwrap();
    assert_eq!(claimed.jobs.len(), 2_000);
    let (updated, hot): (i64, i64) =
        sqlx::query_as("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'job'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!((updated, hot), (2_000, 2_000));
}

#[tokio::test]
async fn a_look_at_what_is_known_sees_what_came_later_and_nothing_else() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let first = enqueue(&db.pool, &of(1, 1)).await;
    let job = claim(&db.pool, worker, 10).await.remove(0);
    assert_eq!(job.claim.id, first);
    let early = Options { run_at: Some(job.run_at - chrono::TimeDelta::seconds(1)), ..Options::default() };
    let before = queue::enqueue_with(&mut conn, &of(1, 2), &early).await.unwrap().id;
    let after = enqueue(&db.pool, &of(1, 3)).await;
    let elsewhere = enqueue(&db.pool, &of(2, 4)).await;

    let known = [(job.stream.clone(), job.run_at)];
    let look = ClaimRequest { look: Look::Known(&known), ..request(worker, 10, &job.stream) };
    let claimed = queue::claim(&mut conn, look).await.unwrap();
    assert_eq!(claimed.jobs.iter().map(|job| job.claim.id).collect::<Vec<_>>(), [after]);
    let rest: HashSet<_> = claim(&db.pool, worker, 10).await.iter().map(|job| job.claim.id).collect();
    assert_eq!(rest, HashSet::from([before, elsewhere]));
}

#[tokio::test]
async fn kinds_and_groups_of_a_tenant_share_its_turn() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let grouped = |group: u8, n| Grouped { tenant: Uuid::from_u128(1), group, n };
    let mut conn = db.pool.acquire().await.unwrap();
    queue::enqueue_many(&mut conn, &(0..90).map(|n| grouped(1, n)).collect::<Vec<_>>()).await.unwrap();
    queue::enqueue_many(&mut conn, &(0..2).map(|n| grouped(2, n)).collect::<Vec<_>>()).await.unwrap();
    fill(&db, 1, 90).await;
    fill(&db, 2, 90).await;
    let claimed = claim(&db.pool, worker, 40).await;
    let shares = shares(&claimed);
    assert!(claimed.len() == 40 && shares.values().all(|share| *share > 15), "tenants share first: {shares:?}");
    let groups = claimed.iter().fold(HashMap::new(), |mut groups: HashMap<_, usize>, job| {
        *groups.entry((job.stream.tenant.as_u128(), job.stream.group.as_str())).or_default() += 1;
        groups
    });
    assert!(groups[&(1, "2")] == 2 && groups[&(1, "1")] >= 6 && groups[&(1, "")] >= 6, "{groups:?}");
}

#[tokio::test]
async fn thousands_of_groups_of_one_tenant_keep_nobody_out_and_are_all_served() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let many: Vec<Grouped> = (0..200).map(|group| Grouped { tenant: Uuid::from_u128(1), group, n: 0 }).collect();
    queue::enqueue_many(&mut conn, &many).await.unwrap();
    fill(&db, 2, 5).await;
    let mut after = Stream::default();
    let first = claim_after(&db.pool, worker, 100, &after).await;
    assert_eq!(shares(&first).get(&2), Some(&5));
    let mut claimed = first.len();
    for _ in 0..20 {
        let more = claim_after(&db.pool, worker, 100, &after).await;
        let Some(last) = more.last() else { break };
        after = last.stream.clone();
        claimed += more.len();
    }
    assert_eq!(claimed, 205);
}
