//! Several schedulers share the work: what one has in its hands, another neither waits for nor does again.

use std::time::Duration;

use jobs::db::measure::expired;
use scheduler::maintenance::dead_letters::{self, DeadLetters};
use scheduler::maintenance::events::{self, Events};
use scheduler::maintenance::idempotency_keys::{self, IdempotencyKeys};
use scheduler::maintenance::rescuer::{self, Rescuer};
use scheduler::maintenance::scans::{self, Scans};
use scheduler::maintenance::{Counts, Ground, Service};
use sqlx::{AssertSqlSafe, PgPool};

use super::{TENS, run_sql};
use crate::support::TestDb;

/// 100 rows past their time in every table, as the benchmark makes them.
async fn filled() -> TestDb {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    expired::fill(&mut conn, 100).await.unwrap();
    expired::fill_outcomes(&mut conn, 100).await.unwrap();
    // The newest of each account are there to stay.
    run_sql(
        &db.pool,
        "UPDATE scan_run SET created_at = now() WHERE id IN (SELECT id FROM scan_run ORDER BY id DESC LIMIT 10)",
    )
    .await;
    db
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(pool).await.unwrap()
}

/// How many rows of a table are deleted while somebody else has thirty of them in hand, and afterwards.
async fn beside<S: Service>(db: &TestDb, service: &S, (table, what, order): (&str, &str, &str), stay: i64) {
    let before = count(&db.pool, table).await;
    let mut other = db.pool.begin().await.unwrap();
    let hold = format!(
        "SELECT FROM (SELECT ctid AS tid FROM {table} ORDER BY {order} LIMIT 30) h JOIN {table} t ON t.ctid = h.tid FOR UPDATE OF t"
    );
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut *other).await.unwrap();
    let deleted = async || {
        let counts = tokio::time::timeout(Duration::from_mins(1), service.run_once()).await.expect("no wait").unwrap();
        counts.rows().into_iter().find(|(name, _)| *name == what).map(|(_, rows)| i64::try_from(rows).unwrap())
    };
    assert_eq!(deleted().await, Some(before - stay - 30), "{table}");
    assert_eq!(count(&db.pool, table).await, stay + 30, "{table}");
    other.rollback().await.unwrap();
    assert_eq!(deleted().await, Some(30), "{table}");
    assert_eq!(count(&db.pool, table).await, stay, "{table}");
}

#[tokio::test]
async fn rows_in_another_s_hands_are_left_to_it() {
    let db = filled().await;
    let ground = &Ground::new(db.pool.clone());
    let keys = idempotency_keys::Config { batches: TENS, ..idempotency_keys::Config::default() };
    let keys = IdempotencyKeys::new(ground, keys).unwrap();
    beside(&db, &keys, ("idempotency_key", "keys", "expires_at"), 0).await;
    let dead = dead_letters::Config { batches: TENS, ..dead_letters::Config::default() };
    beside(&db, &DeadLetters::new(ground, dead).unwrap(), ("dead_job", "dead_jobs", "died_at"), 0).await;
    let rescuer = Rescuer::new(ground, rescuer::Config { batches: TENS, ..rescuer::Config::default() }).unwrap();
    beside(&db, &rescuer, ("job_outcome", "outcomes", "expires_at"), 0).await;
    // Whose drift a posture shows would stay, too.
    run_sql(&db.pool, "DELETE FROM drift_snapshot").await;
    let scans = Scans::new(ground, scans::Config { batches: TENS, ..scans::Config::default() }).unwrap();
    beside(&db, &scans, ("scan_run", "runs", "created_at"), 10).await;
}

#[tokio::test]
async fn so_are_those_of_each_table_of_events() {
    for (table, what) in [("event", "events"), ("webhook_delivery", "deliveries")] {
        let db = filled().await;
        let config = events::Config { batches: TENS, ..events::Config::default() };
        let events = Events::new(&Ground::new(db.pool.clone()), config).unwrap();
        beside(&db, &events, (table, what, "id"), 0).await;
    }
    let db = filled().await;
    let config = events::Config { batches: TENS, ..events::Config::default() };
    let events = Events::new(&Ground::new(db.pool.clone()), config).unwrap();
    beside(&db, &events, ("webhook_attempt", "attempts", "delivery_id"), 0).await;
}

/// What two that run at once did together, each with turns of its own.
async fn together<S: Service>(make: impl Fn(&Ground) -> S, pool: &PgPool) -> u64 {
    let (one, two) = (make(&Ground::new(pool.clone())), make(&Ground::new(pool.clone())));
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    [one.unwrap(), two.unwrap()].iter().flat_map(Counts::rows).map(|(_, rows)| rows).sum()
}

#[tokio::test]
async fn two_at_once_do_everything_once() {
    let db = filled().await;
    let events = events::Config { batches: TENS, ..events::Config::default() };
    assert_eq!(together(|ground| Events::new(ground, events).unwrap(), &db.pool).await, 300);
    let dead = dead_letters::Config { batches: TENS, ..dead_letters::Config::default() };
    assert_eq!(together(|ground| DeadLetters::new(ground, dead).unwrap(), &db.pool).await, 100);
    let keys = idempotency_keys::Config { batches: TENS, ..idempotency_keys::Config::default() };
    assert_eq!(together(|ground| IdempotencyKeys::new(ground, keys).unwrap(), &db.pool).await, 100);
    let items = count(&db.pool, "drift_item").await;
    let scans = scans::Config { batches: TENS, ..scans::Config::default() };
    let done = together(|ground| Scans::new(ground, scans).unwrap(), &db.pool).await;
    let left = count(&db.pool, "scan_run").await;
    assert!((10..=20).contains(&left), "the newest, and what postures show: {left}");
    let (snapshots, kept) = (count(&db.pool, "drift_snapshot").await, count(&db.pool, "drift_item").await);
    let gone = (100 - left) + (9 - snapshots) + (items - kept);
    assert_eq!(i64::try_from(done).unwrap(), gone);
}
