//! Lists of many dead jobs walk an index that brings them in their order: nothing is sorted, nothing read but the page.

use crate::support::TestDb;
use jobs::domain::DeathReason;
use jobs::queue::dead::{self, Cursor, Filter};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// Dead jobs of 20 tenants, 10 kinds, 30 classes and all reasons, a second apart.
const BURY: &str = "
    INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error, died_at)
    SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((n % 20)::text, 12, '0'))::uuid, 'kind_' || n / 20 % 10,
           'queue_' || n / 20 % 3, 50, 5, 5, '{}',
           (ARRAY['attempts_exhausted', 'failed_for_good', 'worker_lost', 'undecodable_payload', 'unknown_kind'])[1 + n / 7 % 5],
           'class_' || n / 3 % 30, 'x', now() - n * interval '1 second'
      FROM generate_series(1, 200000) n";

/// The plan of a list as it was just run, by its statement's text: Postgres is asked to explain what our code sends.
async fn plan(pool: &PgPool, filter: &Filter, after: Option<Cursor>) -> String {
    let mut conn = pool.acquire().await.unwrap();
    dead::list(&mut conn, filter, after, 50).await.unwrap();
    let prepared: String = sqlx::query_scalar(
        "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM dead_job%' AND statement NOT LIKE '%pg_prepared%'
          ORDER BY prepare_time DESC LIMIT 1",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    // A plan for any values, which is what a pool's connection settles on after a few calls.
    let arguments: i32 =
        sqlx::query_scalar("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1")
            .bind(&prepared)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    let arguments = match arguments {
        0 => String::new(),
        n => format!("({})", vec!["NULL"; usize::try_from(n).unwrap()].join(", ")),
    };
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut *conn).await.unwrap();
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE {prepared}{arguments}");
    let plan: Value = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_one(&mut *conn)
        .await
        .map(|row| sqlx::Row::get::<Value, _>(&row, 0))
        .unwrap();
    // Not for the next one.
    conn.close().await.unwrap();
    plan.to_string()
}

#[tokio::test]
async fn every_likely_filter_walks_its_index_and_sorts_nothing() {
    let db = TestDb::new().await;
    sqlx::raw_sql(BURY).execute(&db.pool).await.unwrap();
    sqlx::raw_sql("VACUUM ANALYZE dead_job").execute(&db.pool).await.unwrap();
    let kind = Some("kind_3".to_owned());
    let tenant = Some(Uuid::from_u128(7));
    let now = chrono::Utc::now();
    let time =
        Filter { died_since: Some(now - chrono::TimeDelta::hours(9)), died_until: Some(now), ..Filter::default() };
    let class = Some("class_5".to_owned());
    let first = dead::list(&mut db.pool.acquire().await.unwrap(), &Filter::default(), None, 1).await.unwrap();
    let cursor = Cursor::after(&first[0]);
    let cases = [
        (Filter::default(), "dead_job_by_time"),
        (time.clone(), "dead_job_by_time"),
        (Filter { kind: kind.clone(), ..time.clone() }, "dead_job_by_kind"),
        (Filter { tenant, ..time.clone() }, "dead_job_by_tenant"),
        (Filter { tenant, kind: kind.clone(), ..time.clone() }, "dead_job_by_tenant_kind"),
        (Filter { error_class: class, ..time.clone() }, "dead_job_by_error_class"),
        // There are five reasons: which of two indexes is cheaper depends on how many died for which.
        (Filter { reason: Some(DeathReason::WorkerLost), ..Filter::default() }, "dead_job_by_"),
        (Filter { queue: Some("queue_1".to_owned()), ..time }, "dead_job_by_queue"),
    ];
    for (filter, index) in cases {
        for after in [None, Some(cursor)] {
            let plan = plan(&db.pool, &filter, after).await;
            let walks = plan.contains(&format!("\"Index Name\":\"{index}"));
            assert!(walks && !plan.contains("Sort") && !plan.contains("Seq Scan"), "{filter:?}: {plan}");
        }
    }
}
