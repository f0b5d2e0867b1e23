//! The database goes away and comes back.

use super::proxy::Proxy;
use super::{Note, SOON, Worker, enqueue, note, number, quick, run, until};
use crate::support::{TestDb, eventually};
use jobs::db::pool;
use jobs::queue::{self, Signals};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use workers::runtime::Runtime;

const JOBS: &str = "SELECT count(*) FROM job";

struct Wire {
    proxy: Proxy,
    url: String,
    pool: PgPool,
}

async fn wire(db: &TestDb) -> Wire {
    let direct: PgConnectOptions = db.url.parse().unwrap();
    let proxy = Proxy::to(format!("{}:{}", direct.get_host(), direct.get_port())).await;
    let url = proxy.url(&db.url);
    let pool = pool::options().max_connections(8).acquire_timeout(Duration::from_secs(5)).connect(&url).await.unwrap();
    Wire { proxy, url, pool }
}

#[tokio::test]
async fn outcomes_of_an_outage_are_written_when_it_ends_and_nothing_runs_twice() {
    let db = TestDb::new().await;
    let wire = wire(&db).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (go, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (count, gate, at_gate) = (Arc::clone(&runs), Arc::clone(&go), Arc::clone(&entered));
    let worker = Worker::start(Runtime::builder(wire.pool.clone(), Signals::none(), quick()).register(run(
        move |_, _: Patient| {
            count.fetch_add(1, Ordering::SeqCst);
            at_gate.add_permits(1);
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Value::Null)
            }
        },
    )));
    for n in 0..8 {
        enqueue(&db.pool, &note(n)).await;
    }
    drop(entered.acquire_many(8).await.unwrap());
    wire.proxy.cut();
    go.add_permits(8);
    // Everything ends while there is nowhere to write it.
    tokio::time::timeout(SOON, async {
        while go.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(number(&db.pool, JOBS).await, 8);
    wire.proxy.mend();
    until(&db.pool, JOBS, 0).await;
    assert_eq!(runs.load(Ordering::SeqCst), 8);
    enqueue(&db.pool, &note(9)).await;
    go.add_permits(1);
    until(&db.pool, JOBS, 0).await;
    assert!(worker.stop().await.clean, "it lives and works on");
}

#[tokio::test]
async fn under_load_with_connections_killed_every_job_takes_effect_once() {
    const ALL: usize = 1_500;
    let db = TestDb::new().await;
    let wire = wire(&db).await;
    sqlx::query("CREATE TABLE ledger (n int)").execute(&db.pool).await.unwrap();
    let signals = Signals::listen(wire.url.clone(), CancellationToken::new());
    let all: Vec<Patient> = (0..ALL).map(|n| Patient(note(n))).collect();
    queue::enqueue_many(&mut db.pool.acquire().await.unwrap(), &all).await.unwrap();
    let workers = [(), ()].map(|()| {
        Worker::start(Runtime::builder(wire.pool.clone(), signals.clone(), quick()).register(run(
            |cx, job: Patient| async move {
                let mut tx = cx.pool.begin().await?;
                cx.hold(&mut tx).await?;
                // The effect and its idempotency key in one transaction: what a kind that must not repeat itself does.
                sqlx::query("INSERT INTO ledger SELECT $1 WHERE NOT EXISTS (SELECT FROM ledger WHERE n = $1)")
                    .bind(i32::try_from(job.0.n).unwrap_or_default())
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                Ok(Value::Null)
            },
        )))
    });
    for round in 0..6 {
        let enough = i64::try_from((round + 1) * ALL / 10).unwrap();
        let so_many = async || (number(&db.pool, "SELECT count(*) FROM ledger").await >= enough).then_some(());
        eventually("enough jobs to have run", so_many).await;
        if round % 2 == 0 {
            wire.proxy.cut();
            wire.proxy.mend();
        } else {
            sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .execute(&mut db.pool.acquire().await.unwrap().detach())
            .await
            .unwrap();
        }
    }
    until(&db.pool, JOBS, 0).await;
    assert_eq!(number(&db.pool, "SELECT count(DISTINCT n) FROM ledger").await, i64::try_from(ALL).unwrap());
    assert_eq!(number(&db.pool, "SELECT count(*) FROM ledger").await, i64::try_from(ALL).unwrap());
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job").await, 0);
    for worker in workers {
        assert!(worker.stop().await.clean);
    }
}

#[tokio::test]
async fn a_process_that_was_given_up_works_on_under_a_new_lease() {
    let db = TestDb::new().await;
    let (go, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (gate, at_gate) = (Arc::clone(&go), Arc::clone(&entered));
    let worker = Worker::start(Runtime::builder(db.pool.clone(), Signals::none(), quick()).register(run(
        move |cx, _: Patient| {
            let gate = Arc::clone(&gate);
            at_gate.add_permits(1);
            async move {
                // Its first attempt never ends by itself; losing the lease ends it.
                if cx.attempt == 1 {
                    cx.cancel.cancelled().await;
                }
                gate.acquire().await.unwrap().forget();
                Ok(Value::Null)
            }
        },
    )));
    enqueue(&db.pool, &note(1)).await;
    entered.acquire().await.unwrap().forget();
    // What others do to a process that was stopped for longer than the lease.
    let mut tx = db.pool.begin().await.unwrap();
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 h'").execute(&mut *tx).await.unwrap();
    assert_eq!(queue::rescue(&mut tx, Duration::from_secs(30)).await.unwrap().requeued, 1);
    tx.commit().await.unwrap();
    entered.acquire().await.unwrap().forget();
    assert_eq!(number(&db.pool, "SELECT attempt::bigint FROM job").await, 2);
    go.add_permits(2);
    until(&db.pool, JOBS, 0).await;
    assert!(worker.stop().await.clean);
}

/// A [`Note`] with attempts to spare, for handlers that meet the outage themselves.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Patient(Note);

impl jobs::kinds::Job for Patient {
    const KIND: &'static str = <Note as jobs::kinds::Job>::KIND;
    const QUEUE: &'static str = <Note as jobs::kinds::Job>::QUEUE;
    const MAX_ATTEMPTS: i16 = 100;
    const TIMEOUT: Duration = Duration::from_mins(1);
    const BACKOFF: jobs::retry::Backoff = jobs::retry::Backoff::Table { delays: &[Duration::ZERO], jitter: 0.0 };

    fn tenant(&self) -> Option<uuid::Uuid> {
        self.0.tenant
    }
}
