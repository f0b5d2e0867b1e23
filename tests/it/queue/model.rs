//! The state machine against a model: whatever is done to the queue, in whatever order, its promises hold.
//!
//! Random operations are done to a real database and to a model of a few lines; after each the two must agree on where every
//! job is and on the attempts it has spent, and no counter may be off.

use super::{Note, request};
use crate::support::TestDb;
use jobs::kinds::Job as _;
use jobs::queue::control::{self, Cancellation};
use jobs::queue::dead::{self, Replay};
use jobs::queue::limit::{self, Limit, Per};
use jobs::queue::{self, Claim, Claimed, DeathReason, Failure, Settlement, Stream, Verdict};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone)]
enum Op {
    Enqueue { tenant: u128, key: Option<u8> },
    EnqueueMany { tenant: u128, jobs: usize },
    Claim { worker: usize, limit: usize },
    Settle { claim: Index, verdict: Verdict },
    Cancel { job: Index },
    Pause,
    Resume,
    Limit { per: Per, tenant: u128, max_running: i32 },
    Unlimit { per: Per, tenant: u128 },
    Lose { worker: usize },
    Replay { dead: Index },
}

const WORKERS: usize = 3;

fn verdict() -> impl Strategy<Value = Verdict> {
    let failure = Failure::new("boom", "it broke");
    prop_oneof![
        4 => Just(Verdict::Done(Value::Null)),
        3 => Just(Verdict::Retry { delay: Duration::ZERO, failure: failure.clone() }),
        1 => Just(Verdict::Snooze { delay: Duration::ZERO }),
        1 => Just(Verdict::HandBack),
        2 => Just(Verdict::Dead { reason: DeathReason::FailedForGood, failure }),
        1 => Just(Verdict::Refused { failure: Failure::new("wrong", "the caller's fault") }),
        1 => Just(Verdict::Cancelled { reason: "pointless".to_owned() }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let per = || prop_oneof![Just(Per::Fleet), Just(Per::Tenant)];
    prop_oneof![
        3 => (0..3u128, proptest::option::of(0..2u8)).prop_map(|(tenant, key)| Op::Enqueue { tenant, key }),
        2 => (0..3u128, 1..6usize).prop_map(|(tenant, jobs)| Op::EnqueueMany { tenant, jobs }),
        6 => (0..WORKERS, 1..6usize).prop_map(|(worker, limit)| Op::Claim { worker, limit }),
        8 => (any::<Index>(), verdict()).prop_map(|(claim, verdict)| Op::Settle { claim, verdict }),
        2 => any::<Index>().prop_map(|job| Op::Cancel { job }),
        1 => Just(Op::Pause),
        2 => Just(Op::Resume),
        2 => (per(), 0..3u128, 0..4i32).prop_map(|(per, tenant, max_running)| Op::Limit { per, tenant, max_running }),
        2 => (per(), 0..3u128).prop_map(|(per, tenant)| Op::Unlimit { per, tenant }),
        1 => (0..WORKERS).prop_map(|worker| Op::Lose { worker }),
        2 => any::<Index>().prop_map(|dead| Op::Replay { dead }),
    ]
}

/// Where a job is.
#[derive(Debug, Clone, PartialEq)]
enum At {
    Waiting,
    Running { claim: Claim, cancelled: bool },
    Dead,
    Gone,
}

#[derive(Debug, Clone)]
struct Modelled {
    tenant: u128,
    key: Option<u8>,
    attempt: i16,
    at: At,
    replay_of: Option<Uuid>,
}

/// The model, and the claims that were ever made: stale ones are tried, too.
#[derive(Default)]
struct Model {
    jobs: BTreeMap<Uuid, Modelled>,
    claims: Vec<Claimed>,
    workers: Vec<Uuid>,
    paused: bool,
}

impl Model {
    fn alive_with(&self, tenant: u128, key: u8) -> Option<Uuid> {
        let holds = |job: &Modelled| {
            job.tenant == tenant && job.key == Some(key) && matches!(job.at, At::Waiting | At::Running { .. })
        };
        self.jobs.iter().find(|(_, job)| holds(job)).map(|(id, _)| *id)
    }

    fn add(&mut self, id: Uuid, tenant: u128, key: Option<u8>, replay_of: Option<Uuid>) {
        let job = Modelled { tenant, key, attempt: 0, at: At::Waiting, replay_of };
        assert!(self.jobs.insert(id, job).is_none(), "an id was given twice");
    }

    /// A run ends: what becomes of the job, and of the dead job it replays.
    fn end(&mut self, id: Uuid, verdict: &Verdict) {
        let job = self.jobs.get_mut(&id).unwrap();
        let cancelled = matches!(job.at, At::Running { cancelled: true, .. });
        let ancestor = job.replay_of;
        match verdict {
            Verdict::Done(_) | Verdict::Refused { .. } | Verdict::Cancelled { .. } => job.at = At::Gone,
            _ if cancelled => job.at = At::Gone,
            Verdict::Retry { .. } => job.at = At::Waiting,
            Verdict::Snooze { .. } | Verdict::HandBack => {
                job.attempt -= 1;
                job.at = At::Waiting;
            }
            Verdict::Dead { .. } => job.at = At::Dead,
        }
        let supersedes = matches!(verdict, Verdict::Done(_)) || job.at == At::Dead;
        if let (Some(ancestor), true) = (ancestor, supersedes) {
            self.jobs.get_mut(&ancestor).unwrap().at = At::Gone;
        }
    }

    fn is_replayed(&self, dead: Uuid) -> bool {
        self.jobs.values().any(|job| job.replay_of == Some(dead) && !matches!(job.at, At::Gone | At::Dead))
    }
}

fn of(tenant: u128, key: Option<u8>) -> Note {
    let tenant = (tenant > 0).then(|| Uuid::from_u128(tenant));
    Note { tenant, key: key.map(|key| key.to_string()), n: 0 }
}

async fn apply(pool: &PgPool, model: &mut Model, op: Op) {
    let conn = &mut *pool.acquire().await.unwrap();
    match op {
        Op::Enqueue { tenant, key } => {
            let expected = key.and_then(|key| model.alive_with(tenant, key));
            let enqueued = queue::enqueue(conn, &of(tenant, key)).await.unwrap();
            assert_eq!(enqueued.existing.then(|| enqueued.id.uuid()), expected);
            if expected.is_none() {
                model.add(enqueued.id.uuid(), tenant, key, None);
            }
        }
        Op::EnqueueMany { tenant, jobs } => {
            for enqueued in queue::enqueue_many(conn, &vec![of(tenant, None); jobs]).await.unwrap() {
                model.add(enqueued.id.uuid(), tenant, None, None);
            }
        }
        Op::Claim { worker, limit } => {
            let after = Stream::default();
            let claimed = queue::claim(conn, request(model.workers[worker], limit, &after)).await.unwrap().jobs;
            assert!(claimed.len() <= limit && (claimed.is_empty() || !model.paused));
            for job in claimed {
                let modelled = model.jobs.get_mut(&job.claim.id.uuid()).unwrap();
                assert_eq!(modelled.at, At::Waiting, "only a waiting job is claimed");
                modelled.attempt += 1;
                assert_eq!(modelled.attempt, job.attempt);
                assert!(job.attempt <= job.max_attempts, "attempts never exceed the budget");
                modelled.at = At::Running { claim: job.claim, cancelled: false };
                model.claims.push(job);
            }
            let exceeded: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM job j, LATERAL stream_limits(j.tenant, j.kind, j.concurrency_group) l
                   JOIN concurrency_slot s ON s.key = l.key
                  WHERE j.claimed_at = now() AND j.claimed_by = $1 AND s.running > l.max_running",
            )
            .bind(model.workers[worker])
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            assert_eq!(exceeded, 0);
        }
        Op::Settle { claim, verdict } => settle(conn, model, claim, verdict).await,
        Op::Cancel { job } => {
            let ids: Vec<Uuid> = model.jobs.keys().copied().collect();
            let Some(id) = (!ids.is_empty()).then(|| *job.get(&ids)) else { return };
            let answer = control::cancel(conn, id.into(), "test").await.unwrap();
            let job = model.jobs.get_mut(&id).unwrap();
            let expected = match &mut job.at {
                At::Waiting => {
                    job.at = At::Gone;
                    Cancellation::Cancelled
                }
                At::Running { cancelled, .. } => {
                    *cancelled = true;
                    Cancellation::Requested
                }
                At::Dead | At::Gone => Cancellation::NotFound,
            };
            assert_eq!(answer, expected);
        }
        Op::Pause => model.paused |= control::pause(conn, Note::QUEUE, "test").await.unwrap(),
        Op::Resume => model.paused &= !control::resume(conn, Note::QUEUE).await.unwrap(),
        Op::Limit { per, tenant, max_running } => {
            let tenant = if per == Per::Tenant { Uuid::from_u128(tenant) } else { Uuid::nil() };
            let limit = Limit { kind: Note::KIND.to_owned(), per, tenant, max_running };
            limit::set(conn, &limit, "test").await.unwrap();
        }
        Op::Unlimit { per, tenant } => {
            let tenant = if per == Per::Tenant { Uuid::from_u128(tenant) } else { Uuid::nil() };
            limit::remove(conn, Note::KIND, per, tenant).await.unwrap();
        }
        Op::Lose { worker } => lose(pool, conn, model, worker).await,
        Op::Replay { dead } => replay(conn, model, dead).await,
    }
}

/// A settlement, under a claim that stands or that does not any more.
async fn settle(conn: &mut PgConnection, model: &mut Model, claim: Index, verdict: Verdict) {
    let Some(job) = (!model.claims.is_empty()).then(|| claim.get(&model.claims).clone()) else { return };
    let id = job.claim.id.uuid();
    let stands = matches!(model.jobs[&id].at, At::Running { claim, .. } if claim == job.claim);
    // The budget decides before the queue is asked, as the verdict of a failure does.
    let verdict = match verdict {
        Verdict::Retry { failure, .. } if job.attempt >= job.max_attempts => {
            Verdict::Dead { reason: DeathReason::AttemptsExhausted, failure }
        }
        other => other,
    };
    let settlement = Settlement { claim: job.claim, has_trail: job.has_trail, verdict };
    let settled = queue::settle(conn, std::slice::from_ref(&settlement)).await.unwrap();
    assert_eq!((settled.applied, settled.stale), (usize::from(stands), usize::from(!stands)), "{settlement:?}");
    if stands {
        model.end(id, &settlement.verdict);
    }
}

/// A replay of any job that ever was.
async fn replay(conn: &mut PgConnection, model: &mut Model, dead: Index) {
    let ids: Vec<Uuid> = model.jobs.keys().copied().collect();
    let Some(id) = (!ids.is_empty()).then(|| *dead.get(&ids)) else { return };
    let Modelled { tenant, key, ref at, .. } = model.jobs[&id];
    let replayed = dead::replay(conn, id.into()).await.unwrap();
    if *at != At::Dead {
        let lives = matches!(at, At::Waiting | At::Running { .. });
        assert_eq!(replayed, if lives { Replay::Alive } else { Replay::NotDead });
    } else if model.is_replayed(id) {
        assert!(matches!(replayed, Replay::Running(_)), "{replayed:?}");
    } else if key.is_some_and(|key| model.alive_with(tenant, key).is_some()) {
        assert!(matches!(replayed, Replay::Superseded(_)), "{replayed:?}");
    } else {
        let Replay::Enqueued(new) = replayed else { panic!("{replayed:?}") };
        model.add(new.id.uuid(), tenant, key, Some(id));
    }
}

/// A worker falls silent and is given up; another takes its place.
async fn lose(pool: &PgPool, conn: &mut PgConnection, model: &mut Model, worker: usize) {
    let lost = model.workers[worker];
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 hour' WHERE id = $1")
        .bind(lost)
        .execute(&mut *conn)
        .await
        .unwrap();
    queue::rescue(conn, Duration::from_mins(30)).await.unwrap();
    let held: Vec<(Uuid, i16)> = model
        .jobs
        .iter()
        .filter(|(_, job)| matches!(job.at, At::Running { claim, .. } if claim.worker == lost))
        .map(|(id, job)| (*id, job.attempt))
        .collect();
    let failure = Failure::new("worker_lost", "lost");
    for (id, attempt) in held {
        let verdict = if attempt < Note::MAX_ATTEMPTS {
            Verdict::Retry { delay: Duration::ZERO, failure: failure.clone() }
        } else {
            Verdict::Dead { reason: DeathReason::WorkerLost, failure: failure.clone() }
        };
        model.end(id, &verdict);
    }
    model.workers[worker] = super::worker(pool).await;
}

/// Every job is in exactly the place where the model has it, and every counter counts what there is.
async fn agree(pool: &PgPool, model: &Model) {
    let alive: Vec<(Uuid, bool, i16)> =
        sqlx::query_as("SELECT id, claimed_by IS NOT NULL, attempt FROM job ORDER BY id")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected: Vec<(Uuid, bool, i16)> = model
        .jobs
        .iter()
        .filter(|(_, job)| matches!(job.at, At::Waiting | At::Running { .. }))
        .map(|(id, job)| (*id, job.at != At::Waiting, job.attempt))
        .collect();
    assert_eq!(alive, expected);
    let dead: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM dead_job ORDER BY id").fetch_all(pool).await.unwrap();
    let expected: Vec<Uuid> = model.jobs.iter().filter(|(_, job)| job.at == At::Dead).map(|(id, _)| *id).collect();
    assert_eq!(dead, expected);
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM concurrency_slot s
           FULL JOIN (SELECT key, count(*) AS jobs FROM job, unnest(slots) key GROUP BY key) j USING (key)
          WHERE coalesce(running, 0) <> coalesce(jobs, 0)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(wrong, 0, "the counters of limits are what runs");
}

#[test]
fn whatever_is_done_every_job_is_in_one_place_and_every_promise_holds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(TestDb::new());
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&proptest::collection::vec(op(), 1..60), |ops| {
        runtime.block_on(async {
            sqlx::query("TRUNCATE job, job_error, dead_job, job_outcome, worker, queue_control, concurrency_limit, concurrency_slot")
                .execute(&db.pool)
                .await
                .unwrap();
            let mut model = Model::default();
            for _ in 0..WORKERS {
                model.workers.push(super::worker(&db.pool).await);
            }
            for op in ops {
                apply(&db.pool, &mut model, op).await;
                agree(&db.pool, &model).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}
