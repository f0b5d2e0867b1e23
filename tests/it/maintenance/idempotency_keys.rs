//! Idempotency keys: 24 hours and not a moment less.

use jobs::db::pool;
use scheduler::maintenance::idempotency_keys::{Config, Forgotten, IdempotencyKeys};
use scheduler::maintenance::{Batches, Ground, Service as _};
use sqlx::PgPool;

use super::{ONE_TEN, TENS, number, run_sql};
use crate::support::TestDb;

/// 25 keys that are over, and 5 that are not.
const KEYS: &str = "
    INSERT INTO idempotency_key (principal, key, request_hash, attempt_id, locked_until, expires_at)
    SELECT 'p', n::text, sha256('x'), gen_random_uuid(), now(),
           CASE WHEN n <= 25 THEN now() - n / 3 * interval '1 minute' ELSE now() + interval '1 minute' END
      FROM generate_series(1, 30) n";

fn service(pool: &PgPool, batches: Batches) -> IdempotencyKeys {
    IdempotencyKeys::new(&Ground::new(pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_and_not_a_panic() {
    let away = pool::options().acquire_timeout(std::time::Duration::from_millis(200));
    let away = away.connect_lazy("postgres://127.0.0.1:9/none").unwrap();
    assert!(service(&away, TENS).run_once().await.is_err());
}

#[tokio::test]
async fn what_is_over_goes_and_what_is_not_stays() {
    let db = TestDb::new().await;
    run_sql(&db.pool, KEYS).await;
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), Forgotten { keys: 25, has_more: false });
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), Forgotten::default());
    assert_eq!(number(&db.pool, "SELECT count(*) FROM idempotency_key WHERE expires_at > now()").await, 5);
}

#[tokio::test]
async fn a_run_ends_at_its_bound_and_says_that_there_is_more() {
    let db = TestDb::new().await;
    run_sql(&db.pool, KEYS).await;
    let service = service(&db.pool, ONE_TEN);
    for (keys, has_more) in [(10, true), (10, true), (5, false), (0, false)] {
        assert_eq!(service.run_once().await.unwrap(), Forgotten { keys, has_more });
    }
}
