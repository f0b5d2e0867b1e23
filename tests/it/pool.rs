//! What the pool lends.

use std::pin::pin;

use futures::poll;
use jobs::db::pool;
use sqlx::Connection as _;

use crate::support::TestDb;

#[tokio::test]
async fn a_connection_whose_transaction_was_left_half_begun_is_not_lent_again() {
    let db = TestDb::new().await;
    let pool = pool::options().max_connections(1).connect(&db.url).await.unwrap();
    let mut left = 0;
    for round in 0..1_000 {
        let mut conn = pool.acquire().await.unwrap();
        // BEGIN is sent, and nobody waits for its answer, unless that was faster.
        left += usize::from(poll!(pin!(conn.begin())).is_pending());
        drop(conn);
        sqlx::query("INSERT INTO drift_key (org_id, key) SELECT id, 'k' FROM org LIMIT 0")
            .execute(&pool)
            .await
            .unwrap();
        let outside: bool =
            sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%')")
                .fetch_one(&db.pool)
                .await
                .unwrap();
        assert!(outside, "round {round}: the statement was written into a transaction that nobody commits");
        if left == 5 {
            return;
        }
    }
    panic!("only {left} of all transactions were left half begun");
}
