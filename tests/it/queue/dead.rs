//! Replaying the dead.

use super::{APPLIED, Note, claim, enqueue, note, number, settle, until, worker};
use crate::support::TestDb;
use jobs::ids::JobId;
use jobs::queue::control::{Cancellation, cancel};
use jobs::queue::dead::{self, DeadJob, Discard, Filter, Replay, discard, replay};
use jobs::queue::{self, DeathReason, Failure, Verdict};
use serde_json::Value;
use sqlx::PgPool;
use std::time::Duration;
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

/// The job that replays a dead one from now on.
async fn replayed_as(pool: &PgPool, id: JobId) -> JobId {
    match replay_now(pool, id).await {
        Replay::Enqueued(new) => new.id,
        other => panic!("{other:?} instead of a replay"),
    }
}

async fn get(pool: &PgPool, id: JobId) -> Option<DeadJob> {
    dead::get(&mut pool.acquire().await.unwrap(), id).await.unwrap()
}

#[tokio::test]
async fn what_is_not_dead_is_not_replayed() {
    let db = TestDb::new().await;
    let alive = enqueue(&db.pool, &note(1)).await;
    assert_eq!(replay_now(&db.pool, alive).await, Replay::Alive);
    assert_eq!(replay_now(&db.pool, JobId::new()).await, Replay::NotDead);
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(discard(&mut conn, alive).await.unwrap(), Discard::Alive);
    assert_eq!(discard(&mut conn, JobId::new()).await.unwrap(), Discard::NotDead);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job").await, 1);
}

#[tokio::test]
async fn a_replay_has_a_fresh_budget_and_its_success_ends_the_dead_row() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(5)).await;
    let dead_id = die(&db.pool, worker, "first death").await;
    let replayed = replayed_as(&db.pool, dead_id).await;
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
        let replayed = replayed_as(&db.pool, dead_id).await;
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
    let other = queue::enqueue(&mut conn, &keyed).await.unwrap();
    assert!(!other.existing, "the dead do not hold their key");
    assert_eq!(replay_now(&db.pool, dead_id).await, Replay::Superseded(Some(other.id)));
    assert_eq!(get(&db.pool, dead_id).await.unwrap().replay_job_id, None);
}

#[tokio::test]
async fn two_at_once_replay_it_once() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(1)).await;
    let dead_id = die(&db.pool, worker, "x").await;
    let (mut one, mut two) = (db.pool.begin().await.unwrap(), db.pool.begin().await.unwrap());
    let first = replay(&mut one, dead_id).await.unwrap();
    let second = tokio::spawn(async move {
        let replay = replay(&mut two, dead_id).await.unwrap();
        two.commit().await.unwrap();
        replay
    });
    until(
        &db.pool,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        1,
    )
    .await;
    one.commit().await.unwrap();
    let Replay::Enqueued(new) = first else { panic!("{first:?}") };
    assert_eq!(second.await.unwrap(), Replay::Running(new.id));
    assert_eq!(number(&db.pool, "SELECT count(*) FROM job WHERE replay_of IS NOT NULL").await, 1);
}

#[tokio::test]
async fn what_is_being_replayed_is_not_discarded_and_what_is_discarded_is_gone() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(1)).await;
    let dead_id = die(&db.pool, worker, "x").await;
    let replayed = replayed_as(&db.pool, dead_id).await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(discard(&mut conn, dead_id).await.unwrap(), Discard::Running(replayed));
    cancel(&mut conn, replayed, "not now").await.unwrap();
    let Discard::Discarded(gone) = discard(&mut conn, dead_id).await.unwrap() else { panic!("it is dead") };
    assert_eq!((gone.id, gone.kind.as_str(), gone.error_class.as_str()), (dead_id, "test_note", "boom"));
    assert_eq!(get(&db.pool, dead_id).await, None);
}

#[tokio::test]
async fn a_refused_job_is_told_but_not_dead_and_leaves_the_dead_that_it_replays() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    enqueue(&db.pool, &note(1)).await;
    let dead_id = die(&db.pool, worker, "x").await;
    replayed_as(&db.pool, dead_id).await;
    sqlx::query("UPDATE job SET outcome_ttl_s = 60").execute(&db.pool).await.unwrap();
    let job = claim(&db.pool, worker, 1).await.remove(0);
    let failure = Failure::new("wrong", "the caller's fault");
    assert_eq!(settle(&db.pool, &job, Verdict::Refused { failure: failure.clone() }).await, APPLIED);
    assert_eq!(settle(&db.pool, &job, Verdict::Refused { failure }).await, super::STALE, "once");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job WHERE replay_job_id IS NULL").await, 1);
    let told = queue::standing(&db.pool, job.claim.id).await.unwrap().outcome;
    assert!(matches!(told, queue::Waited::Failed { error_class, .. } if error_class == "wrong"));
}

/// Dead rows of all combinations of two values of each column, each at a moment of its own; seconds ago from 1.
async fn bury_all_sorts(pool: &PgPool) {
    sqlx::raw_sql(
        "INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error,
                               died_at)
         SELECT gen_random_uuid(), CASE WHEN n & 1 = 0 THEN '00000000-0000-0000-0000-000000000000'::uuid
                                        ELSE '00000000-0000-0000-0000-000000000001'::uuid END,
                'kind_' || (n >> 1 & 1), 'queue_' || (n >> 2 & 1), 50, 1, 1, '{}',
                CASE WHEN n >> 3 & 1 = 0 THEN 'worker_lost' ELSE 'unknown_kind' END, 'class_' || (n >> 4 & 1), 'x',
                date_trunc('minute', now()) - n / 2 * interval '1 minute'
           FROM generate_series(0, 31) n",
    )
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn each_filter_narrows_and_pages_neither_skip_nor_repeat() {
    let db = TestDb::new().await;
    bury_all_sorts(&db.pool).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let all = dead::list(&mut conn, &Filter::default(), None, 100).await.unwrap();
    assert_eq!(all.len(), 32);
    assert!(all.is_sorted_by(|a, b| (a.died_at, a.id) > (b.died_at, b.id)), "newest first");
    let mut paged = Vec::new();
    loop {
        // Two rows die at each moment: pages end between them.
        let after = paged.last().map(dead::Cursor::after);
        let page = dead::list(&mut conn, &Filter::default(), after, 5).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let newest = all[0].died_at;
    let halves = [
        Filter { kind: Some("kind_1".to_owned()), ..Filter::default() },
        Filter { tenant: Some(Uuid::nil()), ..Filter::default() },
        Filter { queue: Some("queue_0".to_owned()), ..Filter::default() },
        Filter { reason: Some(DeathReason::UnknownKind), ..Filter::default() },
        Filter { error_class: Some("class_1".to_owned()), ..Filter::default() },
        Filter { died_since: Some(newest - chrono::TimeDelta::minutes(7)), ..Filter::default() },
        Filter { died_until: Some(newest - chrono::TimeDelta::minutes(7)), ..Filter::default() },
    ];
    for filter in halves {
        assert_eq!(dead::preview(&mut conn, &filter).await.unwrap().count, 16, "{filter:?}");
    }
    let nothing = Filter { kind: Some("kind_2".to_owned()), ..Filter::default() };
    assert_eq!(dead::list(&mut conn, &nothing, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn each_kind_is_forgotten_after_its_own_time_and_what_is_replayed_is_not() {
    let db = TestDb::new().await;
    bury_all_sorts(&db.pool).await;
    sqlx::raw_sql(
        "UPDATE dead_job SET died_at = now() - interval '31 days';
         UPDATE dead_job SET replay_job_id = gen_random_uuid(), replayed_at = now() WHERE queue = 'queue_1'",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let month = Duration::from_hours(30 * 24);
    let long = |kind: &str| if kind == "kind_0" { Duration::from_hours(32 * 24) } else { month };
    assert_eq!(expire(&db.pool, long).await, 8, "the other kind's, after 30 days");
    assert_eq!(expire(&db.pool, long).await, 0);
    let short = |kind: &str| if kind == "kind_0" { Duration::from_hours(1) } else { month };
    assert_eq!(expire(&db.pool, short).await, 8);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job").await, 16);
}

/// Forgets all that is over, three at a time; how many.
async fn expire(pool: &PgPool, retention: impl Fn(&str) -> Duration + Send + Copy) -> u64 {
    let (mut place, mut total) = (Some(dead::Place::default()), 0);
    while let Some(from) = place {
        let batch = dead::expire(&mut pool.acquire().await.unwrap(), retention, from, 3).await.unwrap();
        assert!(batch.done <= 3);
        total += batch.done;
        place = batch.next;
    }
    total
}
