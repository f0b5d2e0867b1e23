//! Every statement that deletes by age finds what is old at the end of an index: no table is read through, nothing sorted, whatever the
//! values and however large the tables are.

use std::time::Duration;

use jobs::db::{event, idempotency, measure, scan_run, webhook_delivery, webhook_endpoint, webhook_replay};
use jobs::plan::Plan;
use jobs::queue::{dead, expire_outcomes};
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::plans::{plans, walk_along};

const ROWS: i64 = 20_000;
const BATCH: i64 = 1_000;

#[tokio::test]
async fn what_is_old_is_found_at_the_end_of_an_index() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let conn = &mut *conn;
    measure::expired::fill(conn, ROWS).await.unwrap();
    measure::expired::fill_outcomes(conn, ROWS).await.unwrap();
    measure::expired::settle(conn).await.unwrap();

    assert_eq!(webhook_delivery::expire_attempts(conn, 30, Uuid::nil(), BATCH).await.unwrap().done, 1_000);
    walk_along(&plans(conn, "DELETE FROM webhook_attempt").await, &["webhook_attempt_pkey"]);
    assert_eq!(webhook_delivery::expire(conn, 30, Uuid::nil(), BATCH).await.unwrap().0.done, 1_000);
    walk_along(&plans(conn, "DELETE FROM webhook_delivery").await, &["webhook_delivery_pkey"]);
    assert_eq!(event::expire(conn, 30, Uuid::nil(), BATCH).await.unwrap().done, 1_000);
    walk_along(&plans(conn, "DELETE FROM event").await, &["event_pkey"]);
    assert_eq!(idempotency::sweep(conn, None, BATCH).await.unwrap().done, 1_000);
    walk_along(&plans(conn, "DELETE FROM idempotency_key").await, &["idempotency_key_expiry_idx"]);
    assert_eq!(expire_outcomes(conn, None, BATCH).await.unwrap().done, 1_000);
    walk_along(&plans(conn, "DELETE FROM job_outcome").await, &["job_outcome_by_expiry", "job_outcome_pkey"]);
    let month = |_: &str| Duration::from_hours(30 * 24);
    assert_eq!(dead::expire(conn, month, dead::Place::default(), BATCH).await.unwrap().done, 1_000);
    walk_along(&plans(conn, "DELETE FROM dead_job").await, &["dead_job_by_kind", "dead_job_pkey"]);
}

#[tokio::test]
async fn old_scans_are_found_organisation_by_organisation_and_deleted_by_their_ids() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let conn = &mut *conn;
    measure::expired::fill(conn, ROWS).await.unwrap();
    // Beside many that are kept for ever.
    sqlx::raw_sql("UPDATE org SET plan = 'team' WHERE slug <> 'bench-3'").execute(&mut *conn).await.unwrap();
    measure::expired::settle(conn).await.unwrap();
    let free = (Plan::Free, Duration::from_hours(24));
    let done = scan_run::expire(conn, free, scan_run::Place::default(), BATCH).await.unwrap().done;
    assert!(done.runs > 0 && done.runs + done.items <= 1_000, "{done:?}");
    let old = plans(conn, "o CROSS JOIN LATERAL").await;
    let text = old[0].to_string();
    for index in ["scan_run_org_idx", "scan_run_account_idx", "drift_snapshot_posture_idx", "drift_snapshot_scan_key"] {
        assert!(text.contains(index), "not by {index}: {text}");
    }
    // Of the organisations alone, which are few and sorted once.
    assert_eq!(text.matches("\"Sort\"").count() - text.matches("\"Sort Key\":[\"org.id\"]").count(), 0, "{text}");
    for table in ["scan_run", "drift_snapshot"] {
        let through =
            format!("\"Seq Scan\",\"Parallel Aware\":false,\"Async Capable\":false,\"Relation Name\":\"{table}\"");
        assert!(!text.contains(&through) && !text.contains("Bitmap"), "{table} is read through: {text}");
    }
    walk_along(&plans(conn, "DELETE FROM drift_item").await, &["drift_snapshot_scan_key", "drift_item_pkey"]);
    walk_along(&plans(conn, "DELETE FROM drift_snapshot WHERE scan_run_id").await, &["drift_snapshot_scan_key"]);
    walk_along(&plans(conn, "DELETE FROM scan_run").await, &["scan_run_pkey"]);
}

#[tokio::test]
async fn endpoints_that_fail_and_runs_that_are_open_have_indexes_of_their_own() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let conn = &mut *conn;
    measure::expired::fill(conn, ROWS).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO webhook_endpoint (id, org_id, url, description, events, cloud_account_ids, header_names, secret, secret_prefix,
                                       max_in_flight, failing_since)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'https://example.com', '', '{*}', '{}', '{}', '', '', 1,
                CASE WHEN n % 100 = 0 THEN now() END FROM generate_series(1, 20000) n",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::raw_sql("ANALYZE webhook_endpoint").execute(&mut *conn).await.unwrap();
    measure::expired::settle(conn).await.unwrap();
    webhook_endpoint::lock_overdue(conn).await.unwrap();
    walk_along(&plans(conn, "failing_since < now()").await, &["webhook_endpoint_failing_idx"]);
    webhook_replay::expire(conn, 30, Uuid::nil(), BATCH).await.unwrap();
    jobs::scans::reconcile_stuck_runs(conn, BATCH).await.unwrap();
    let open = plans(conn, "FROM scan_run r LEFT JOIN dead_job d").await;
    assert_eq!(open.len(), 2);
    for index in ["scan_run_open_idx", "scan_run_drift_idx"] {
        assert!(open.iter().any(|plan| plan.to_string().contains(index)), "not by {index}: {open:?}");
    }
}
