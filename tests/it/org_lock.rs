//! The lock of an organisation, under which plans' limits are checked: what it keeps out, and what it must let through.

use std::borrow::Cow;

use jobs::db::drift_key;
use jobs::db::org::{self, NewOrg};
use jobs::domain::Plan;
use sqlx::{Connection as _, PgConnection};

use crate::support::TestDb;

/// Fails instead of waiting for a lock.
async fn impatient(db: &TestDb) -> PgConnection {
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    sqlx::raw_sql("SET lock_timeout = '1s'").execute(&mut conn).await.unwrap();
    conn
}

#[tokio::test]
async fn an_organisation_can_be_locked_while_rows_that_refer_to_it_are_written() {
    let db = TestDb::new().await;
    let mut conn = impatient(&db).await;
    let new = NewOrg { slug: "acme", display_name: "Acme", plan: Plan::Team };
    let id = org::insert(&mut conn, &new).await.unwrap().id;

    // As the ingestion of a state does for minutes.
    let mut long = db.pool.begin().await.unwrap();
    drift_key::get_or_insert(&mut long, id, &[0; 60]).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(org::lock(&mut tx, id).await.unwrap(), Some(Plan::Team));

    // Two who check a limit still take turns.
    let mut other = impatient(&db).await;
    let refused = org::lock(&mut other, id).await.unwrap_err();
    let code = refused.as_database_error().and_then(|error| error.code().map(Cow::into_owned));
    assert_eq!(code.as_deref(), Some("55P03"), "lock_not_available: {refused}");
    tx.commit().await.unwrap();
    assert_eq!(org::lock(&mut other, id).await.unwrap(), Some(Plan::Team));
    long.rollback().await.unwrap();
}
