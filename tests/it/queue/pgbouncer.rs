//! Behind PgBouncer in transaction mode: with signals over a direct connection, and by polling alone.

use super::{Ask, Note, SOON, Worker, enqueue, note, number, quick, request, run, until};
use crate::support::moto::{Moto, Server};
use crate::support::pgbouncer::SERVER_CONNECTIONS;
use crate::support::{Api, PgBouncer, Plumbline, TestDb, eventually};
use futures::future::join_all;
use jobs::db::pool;
use jobs::db::pooler::Relay;
use jobs::queue::control::{Cancellation, cancel};
use jobs::queue::dead::{Replay, replay};
use jobs::queue::{self, JobError, Lease, Signals, Stream, Waited};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgPool};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::runtime::Runtime;

const JOBS: &str = "SELECT count(*) FROM job";
const DEAD: &str = "SELECT count(*) FROM dead_job";

/// Runs so many at once in each of two workers.
const SLOTS: usize = 8;

/// A pool through the relay, larger than what PgBouncer has to give.
async fn through(relay: &Relay) -> PgPool {
    let options = pool::options().max_connections(4 * u32::try_from(SERVER_CONNECTIONS).unwrap());
    options.connect_with(relay.options().clone()).await.unwrap()
}

#[tokio::test]
async fn with_signals_over_a_direct_connection_every_operation_works() {
    let db = TestDb::new().await;
    let signals = Signals::listen(db.url.clone(), CancellationToken::new());
    every_operation(&db, signals).await;
}

#[tokio::test]
async fn by_polling_alone_every_operation_works() {
    every_operation(&TestDb::new().await, Signals::none()).await;
}

async fn every_operation(db: &TestDb, signals: Signals) {
    let Some(bouncer) = PgBouncer::before(db).await else { return };
    let relay = Relay::open(&bouncer.options()).unwrap();
    let pool = through(&relay).await;
    let is_mended = Arc::new(AtomicBool::new(false));
    let runs: Arc<Mutex<HashMap<usize, usize>>> = Arc::default();
    let workers = [(), ()].map(|()| {
        let (mended, runs) = (Arc::clone(&is_mended), Arc::clone(&runs));
        let config = queue::Config { concurrency: SLOTS, lease: Duration::from_mins(1), ..quick() };
        let runtime = Runtime::builder(pool.clone(), signals.clone(), config)
            .register(run(move |cx, job: Note| {
                *runs.lock().unwrap().entry(job.n).or_default() += 1;
                let mended = Arc::clone(&mended);
                async move {
                    let mut tx = cx.pool.begin().await?;
                    cx.hold(&mut tx).await?;
                    tx.commit().await?;
                    match job.n % 10 {
                        0 if cx.attempt == 1 => Err(JobError::retry("once", "it fails once")),
                        1 if !mended.load(Ordering::SeqCst) => Err(JobError::fail("broken", "until it is mended")),
                        _ => Ok(Value::Null),
                    }
                }
            }))
            .register(run(|cx, job: Ask| async move {
                if job.question == "for ever?" {
                    cx.cancel.cancelled().await;
                    return Err(JobError::retry("told", "I was told to stop"));
                }
                Ok(json!(job.question))
            }));
        Worker::start(runtime)
    });

    // Enqueued from many transactions at once: done, tried again, dead.
    join_all((0..20).map(|batch| {
        let pool = pool.clone();
        async move {
            let mut conn = pool.acquire().await.unwrap();
            let mut tx = conn.begin().await.unwrap();
            let jobs: Vec<Note> = (batch * 10..batch * 10 + 10).map(note).collect();
            queue::enqueue_many(&mut tx, &jobs).await.unwrap();
            tx.commit().await.unwrap();
        }
    }))
    .await;
    until(&db.pool, JOBS, 0).await;
    assert_eq!(number(&db.pool, DEAD).await, 20);
    let expected = |n: usize| if n.is_multiple_of(10) { 2 } else { 1 };
    assert!(runs.lock().unwrap().iter().all(|(n, count)| *count == expected(*n)), "{runs:?}");

    // Replayed, all at once.
    is_mended.store(true, Ordering::SeqCst);
    let dead: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM dead_job").fetch_all(&pool).await.unwrap();
    let replays = join_all(dead.into_iter().map(|id| {
        let pool = pool.clone();
        async move { replay(&mut pool.acquire().await.unwrap(), id.into()).await.unwrap() }
    }))
    .await;
    assert!(replays.iter().all(|replay| matches!(replay, Replay::Enqueued(_))), "{replays:?}");
    until(&db.pool, DEAD, 0).await;

    // Awaited, many at once.
    let asked = join_all((0..20).map(|n| {
        let (pool, signals) = (pool.clone(), signals.clone());
        async move {
            let id = enqueue(&pool, &Ask { question: n.to_string() }).await;
            (n.to_string(), queue::wait(&pool, &signals, id, SOON).await.unwrap())
        }
    }))
    .await;
    assert!(asked.iter().all(|(n, waited)| *waited == Waited::Done(json!(n))), "{asked:?}");

    // Cancelled while it runs.
    let id = enqueue(&pool, &Ask { question: "for ever?".into() }).await;
    until(&db.pool, "SELECT count(*) FROM job WHERE claimed_by IS NOT NULL", 1).await;
    let cancelled = cancel(&mut pool.acquire().await.unwrap(), id, "enough").await.unwrap();
    assert_eq!(cancelled, Cancellation::Requested);
    assert_eq!(queue::wait(&pool, &signals, id, SOON).await.unwrap(), Waited::Cancelled);

    // Rescued: what a lost worker held runs again, its attempt spent.
    let lease = Lease::register(&pool, "lost", &["test".to_owned()]).await.unwrap();
    let held = [note(2)];
    let mut tx = pool.begin().await.unwrap();
    queue::enqueue_many(&mut tx, &held).await.unwrap();
    let claimed = queue::claim(&mut tx, request(lease.worker(), 1, &Stream::default())).await.unwrap();
    assert_eq!(claimed.jobs.len(), 1);
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 h' WHERE id = $1")
        .bind(lease.worker())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    until(&db.pool, JOBS, 0).await;
    assert_eq!(runs.lock().unwrap()[&2], 2);

    for worker in workers {
        assert!(worker.stop().await.clean);
    }
    assert_eq!(number(&db.pool, "SELECT count(*) FROM worker").await, 0);
}

/// The executable, behind PgBouncer.
fn pooled(args: &[&str], db: &TestDb, bouncer: &PgBouncer) -> Plumbline {
    Plumbline::new(args).database(db).env("DATABASE_URL", &bouncer.url).env("PLUMBLINE_POOLER", "transaction")
}

#[tokio::test]
async fn the_executable_works_behind_it_by_polling_and_by_signals() {
    let db = TestDb::new().await;
    let Some(bouncer) = PgBouncer::before(&db).await else { return };
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let artifacts = tempfile::tempdir().unwrap();
    let place = artifacts.path().to_str().unwrap();
    for (slug, listen) in [("polling", ""), ("signals", db.url.as_str())] {
        let role = |args: &[&str]| {
            pooled(args, &db, &bouncer).env("PLUMBLINE_LISTEN_URL", listen).env("PLUMBLINE_ARTIFACTS", place)
        };
        let org = pooled(&["org", "create", slug, "--plan", "enterprise", "--json"], &db, &bouncer).json();
        let org = org[0]["id"].as_str().unwrap();
        let key = ["key", "create", "--org", org, "--name", "pooled", "--scope", "read", "--scope", "write", "--json"];
        let key = pooled(&key, &db, &bouncer).json();
        let worker = role(&["worker"]).env("AWS_ENDPOINT_URL", &moto.url).start();
        let running = role(&["api", "--listen", "127.0.0.1:0"]).start();
        let api = Api::new(&running.url).with_key(key[0]["raw_key"].as_str().unwrap());
        let accounts = format!("/api/v2/orgs/{org}/accounts");
        let body = json!({
            "display_name": "production",
            "provider": "aws",
            "external_account_id": "123456789012",
            "credential_type": "access_key",
            "credential_ref": r#"{"access_key_id":"test","secret_access_key":"test"}"#,
        });
        // A row, an audit entry and a job in one transaction; a worker; and a request that waits for its outcome.
        api.post(&accounts, &body).await.expect(201);
        let lists = join_all((0..40).map(|_| api.get(&accounts))).await;
        assert!(lists.into_iter().all(|list| list.expect(200)["accounts"].as_array().unwrap().len() == 1));
        eventually("no job is left", async || (number(&db.pool, JOBS).await == 0).then_some(())).await;
        for mut role in [running, worker] {
            let (status, _) = role.terminate();
            assert!(status.success(), "{status}: {}", role.log());
        }
    }
}

#[tokio::test]
async fn what_a_pooler_cannot_do_is_refused_with_the_way_out() {
    let db = TestDb::unmigrated().await;
    let Some(bouncer) = PgBouncer::before(&db).await else { return };
    let message = |command: Plumbline| String::from_utf8(command.output().stderr).unwrap();
    let migrate = message(pooled(&["migrate"], &db, &bouncer));
    assert!(migrate.contains("DATABASE_URL") && migrate.contains("PLUMBLINE_POOLER"), "{migrate}");
    let up = message(pooled(&["up"], &db, &bouncer));
    assert!(up.contains("plumbline migrate"), "{up}");
    assert_eq!(pooled(&["migrate", "--check"], &db, &bouncer).output().status.code(), Some(1));
    let nowhere = pooled(&["worker"], &db, &bouncer).env("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:9/none");
    let nowhere = message(nowhere);
    assert!(nowhere.contains("127.0.0.1:9: Connection refused") && !nowhere.contains("hunter2"), "{nowhere}");
}
