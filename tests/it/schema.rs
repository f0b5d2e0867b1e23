//! The schema's promises: it applies from many machines at once, and tells what is missing.

use crate::support::TestDb;
use jobs::schema;
use sqlx::postgres::PgConnectOptions;

#[tokio::test]
async fn an_empty_database_lacks_every_migration() {
    let db = TestDb::unmigrated().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let pending = schema::pending(&mut conn).await.unwrap();
    assert_eq!(pending.len(), schema::MIGRATIONS.iter().count());
    assert_eq!(pending[0].description, "foundation");
}

#[tokio::test]
async fn many_migrate_at_once_and_each_step_is_applied_once() {
    let db = TestDb::unmigrated().await;
    let options: PgConnectOptions = db.url.parse().unwrap();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let options = options.clone();
        all.spawn(async move { schema::migrate(&options).await });
    }
    for result in all.join_all().await {
        result.unwrap();
    }
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(schema::pending(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn a_test_database_is_migrated() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(schema::pending(&mut conn).await.unwrap(), []);
}
