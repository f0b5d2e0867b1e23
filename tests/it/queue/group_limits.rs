//! Limits of single groups: how many run at once, how fast they start, and that nobody else pays for them.

use std::time::Duration;

use chrono::Utc;
use jobs::kinds::{Job, priority};
use jobs::queue::group_limit::{self, GroupLimit};
use jobs::queue::limit::{self, Limit, Per};
use jobs::queue::{self, Again, Claimed, Failure, Verdict, run_again};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::{APPLIED, claim, number, settle, worker};
use crate::support::TestDb;

const TENANT: u128 = 1;

/// A job of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Letter {
    to: String,
}

impl Job for Letter {
    const KIND: &'static str = "test_letter";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i16 = 3;
    const TIMEOUT: Duration = Duration::from_mins(1);

    fn tenant(&self) -> Option<Uuid> {
        Some(Uuid::from_u128(TENANT))
    }

    fn group(&self) -> Option<String> {
        Some(self.to.clone())
    }
}

async fn fill(pool: &PgPool, to: &str, jobs: usize) {
    let jobs: Vec<Letter> = (0..jobs).map(|_| Letter { to: to.to_owned() }).collect();
    queue::enqueue_many(&mut pool.acquire().await.unwrap(), &jobs).await.unwrap();
}

async fn set(pool: &PgPool, group: &str, max_running: i32, rate: Option<f64>) {
    let limit = GroupLimit { tenant: Uuid::from_u128(TENANT), group, max_running, rate };
    group_limit::set::<Letter>(&mut pool.acquire().await.unwrap(), limit).await.unwrap();
}

fn to(claimed: &[Claimed], group: &str) -> usize {
    claimed.iter().filter(|job| job.stream.group == group).count()
}

#[tokio::test]
async fn a_group_has_its_own_limit_and_none_of_the_others() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    for group in ["two", "none", "any"] {
        fill(&db.pool, group, 30).await;
    }
    set(&db.pool, "two", 2, None).await;
    set(&db.pool, "none", 0, None).await;
    let claimed = claim(&db.pool, worker, 60).await;
    assert_eq!((to(&claimed, "two"), to(&claimed, "none"), to(&claimed, "any")), (2, 0, 30));
    assert!(claim(&db.pool, worker, 60).await.is_empty());
    let one = claimed.iter().find(|job| job.stream.group == "two").unwrap();
    assert_eq!(settle(&db.pool, one, Verdict::Done(Value::Null)).await, APPLIED);
    assert_eq!(to(&claim(&db.pool, worker, 60).await, "two"), 1);
    set(&db.pool, "none", 5, None).await;
    assert_eq!(to(&claim(&db.pool, worker, 60).await, "none"), 5);
    assert_eq!(number(&db.pool, "SELECT sum(running)::bigint FROM concurrency_slot").await, 7, "one count a group");
}

#[tokio::test]
async fn of_a_group_s_limit_and_the_operators_the_lesser_holds() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    for group in ["own", "bare"] {
        fill(&db.pool, group, 30).await;
    }
    let per_group =
        |max_running| Limit { kind: Letter::KIND.to_owned(), per: Per::Group, tenant: Uuid::nil(), max_running };
    limit::set(&mut db.pool.acquire().await.unwrap(), &per_group(3), "test").await.unwrap();
    set(&db.pool, "own", 5, None).await;
    let claimed = claim(&db.pool, worker, 60).await;
    assert_eq!((to(&claimed, "own"), to(&claimed, "bare")), (3, 3));
    limit::set(&mut db.pool.acquire().await.unwrap(), &per_group(10), "test").await.unwrap();
    let claimed = claim(&db.pool, worker, 60).await;
    assert_eq!((to(&claimed, "own"), to(&claimed, "bare")), (2, 7));
}

#[tokio::test]
async fn a_rate_allows_a_second_s_worth_at_once_and_then_its_pace() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    for (group, rate) in [("five", 5.0), ("slow", 0.5), ("odd", 2.5)] {
        fill(&db.pool, group, 30).await;
        set(&db.pool, group, 100, Some(rate)).await;
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let look = |worker| queue::ClaimRequest {
        worker,
        queue: Letter::QUEUE,
        limit: 90,
        look: queue::Look::Everywhere { after: Box::leak(Box::default()) },
    };
    let first = queue::claim(&mut conn, look(worker)).await.unwrap();
    let counts = |claimed: &[Claimed]| (to(claimed, "five"), to(claimed, "slow"), to(claimed, "odd"));
    assert_eq!(counts(&first.jobs), (5, 1, 2));
    let wait = first.next_in.expect("the first may go on soon");
    assert!(wait <= Duration::from_millis(200), "{wait:?}");
    // Two seconds later, by the clock of the rows.
    sqlx::query("UPDATE group_limit SET next_at = next_at - interval '2 seconds'").execute(&db.pool).await.unwrap();
    let next = queue::claim(&mut conn, look(worker)).await.unwrap();
    let (five, slow, odd) = counts(&next.jobs);
    assert!((5..=6).contains(&five) && slow == 1 && (2..=3).contains(&odd), "{five} {slow} {odd}");
}

#[tokio::test]
async fn a_group_that_is_held_up_starts_nothing_and_says_when_it_may() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db.pool, "shy", 3).await;
    set(&db.pool, "shy", 10, None).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let tenant = Uuid::from_u128(TENANT);
    group_limit::hold_up::<Letter>(&mut conn, tenant, "shy", Duration::from_mins(1)).await.unwrap();
    // A shorter one does not shorten it, and a new limit leaves it.
    group_limit::hold_up::<Letter>(&mut conn, tenant, "shy", Duration::from_secs(1)).await.unwrap();
    set(&db.pool, "shy", 20, None).await;
    let after = queue::Stream::default();
    let request =
        queue::ClaimRequest { worker, queue: Letter::QUEUE, limit: 9, look: queue::Look::Everywhere { after: &after } };
    let held = queue::claim(&mut conn, request).await.unwrap();
    assert!(held.jobs.is_empty());
    assert!(held.next_in.is_some_and(|wait| wait > Duration::from_secs(50) && wait <= Duration::from_mins(1)));
    sqlx::query("UPDATE group_limit SET next_at = now()").execute(&db.pool).await.unwrap();
    assert_eq!(queue::claim(&mut conn, request).await.unwrap().jobs.len(), 3);
}

#[tokio::test]
async fn jobs_run_again_whatever_became_of_them_but_for_those_that_run() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    fill(&db.pool, "a", 3).await;
    let claimed = claim(&db.pool, worker, 3).await;
    let failure = || Failure::new("boom", "it broke");
    let later = Verdict::Retry { delay: Duration::from_hours(1), failure: failure() };
    settle(&db.pool, &claimed[0], later).await;
    let dead = Verdict::Dead { reason: queue::DeathReason::FailedForGood, failure: failure() };
    settle(&db.pool, &claimed[1], dead).await;
    let gone = jobs::ids::JobId::new();
    let ids = [claimed[0].claim.id, claimed[1].claim.id, claimed[2].claim.id, gone];
    let mut conn = db.pool.acquire().await.unwrap();
    let fates = run_again(&mut conn, &ids, priority::LOW).await.unwrap();
    assert!(matches!(fates[..], [Again::Now, Again::Replayed(_), Again::Running, Again::Gone]), "{fates:?}");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job_error").await, 0, "a fresh start");
    let again = claim(&db.pool, worker, 9).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|job| job.attempt == 1 && job.run_at <= Utc::now()));
    assert_eq!(run_again(&mut conn, &ids[..2], priority::LOW).await.unwrap(), [Again::Running, Again::Gone]);
}
