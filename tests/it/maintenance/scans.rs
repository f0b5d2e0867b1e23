//! Scans past what their organisation's plan keeps; the exceptions above all.

use jobs::db::drift_snapshot::posture;
use jobs::ids::OrgId;
use scheduler::maintenance::scans::{Config, Scans};
use scheduler::maintenance::{Batches, Ground, Service as _};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ONE_TEN, TENS, account, number, org};
use crate::support::TestDb;

fn service(pool: &PgPool, batches: Batches) -> Scans {
    Scans::new(&Ground::new(pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

/// An account and its organisation.
#[derive(Clone, Copy)]
struct Of {
    org: OrgId,
    account: Uuid,
}

async fn owned(pool: &PgPool, plan: &str) -> Of {
    let org = org(pool, plan).await;
    Of { org, account: account(pool, org).await }
}

/// A run of so many hours ago, in a state and with a state of its drift.
async fn run(pool: &PgPool, of: Of, hours: i32, (status, drift): (&str, Option<&str>)) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, status, drift_status, created_at, started_at,
                               finished_at, error, error_class)
         SELECT $1, $2, $3, 'aws', 'manual', $5, $6, t.at, t.at, CASE WHEN $5 IN ('done', 'error') THEN t.at END,
                CASE WHEN $5 = 'error' THEN 'x' END, CASE WHEN $5 = 'error' THEN 'x' END
           FROM (SELECT now() - make_interval(hours => $4) AS at) t",
    )
    .bind(id)
    .bind(of.org.uuid())
    .bind(of.account)
    .bind(hours)
    .bind(status)
    .bind(drift)
    .execute(pool)
    .await
    .unwrap();
    id
}

const DONE: (&str, Option<&str>) = ("done", Some("done"));

/// The drift of a run, with so many items; of every region or of some.
async fn drift(pool: &PgPool, run: Uuid, items: i32, every_region: bool) {
    sqlx::query(
        "WITH snapshot AS (
           INSERT INTO drift_snapshot (id, org_id, scan_run_id, cloud_account_id, total_iac, total_live, matched_count,
                                       changed_count, missing_count, extra_count, unchecked_count, unknown_count,
                                       parse_failure_count, coverage_pct, risk_level, report, every_region, created_at)
           SELECT gen_random_uuid(), r.org_id, r.id, r.cloud_account_id, 0, 0, 0, $2, 0, 0, 0, 0, 0, 0, 'low', '{}', $3, r.created_at
             FROM scan_run r WHERE r.id = $1)
         SELECT 1",
    )
    .bind(run)
    .bind(items)
    .bind(every_region)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO drift_item (snapshot_id, ordinal, org_id, kind, severity, provider_type, item)
         SELECT d.id, n, d.org_id, 'changed', 'low', 'aws_vpc', '{}' FROM drift_snapshot d, generate_series(1, $2) n
          WHERE d.scan_run_id = $1",
    )
    .bind(run)
    .bind(items)
    .execute(pool)
    .await
    .unwrap();
}

/// The runs that are left, oldest first, in hours ago.
async fn left(pool: &PgPool) -> Vec<i32> {
    sqlx::query_scalar(
        "SELECT (extract(epoch FROM now() - created_at) / 3600)::integer FROM scan_run ORDER BY created_at",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_is_not_over_and_whose_drift_is_not_stays() {
    let db = TestDb::new().await;
    let of = owned(&db.pool, "free").await;
    for (hours, status) in [
        (90, ("pending", None)),
        (80, ("running", None)),
        (70, ("done", Some("pending"))),
        (60, ("done", Some("running"))),
        (50, ("done", Some("error"))),
        (45, ("done", None)),
        (40, ("error", None)),
        (1, DONE),
    ] {
        run(&db.pool, of, hours, status).await;
    }
    let done = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!((done.expired.runs, done.has_more), (3, false));
    assert_eq!(left(&db.pool).await, [90, 80, 70, 60, 1]);
}

#[tokio::test]
async fn an_account_s_newest_done_run_stays_and_so_does_the_one_that_its_posture_shows() {
    let db = TestDb::new().await;
    let of = owned(&db.pool, "free").await;
    let shown = run(&db.pool, of, 90, DONE).await;
    drift(&db.pool, shown, 3, true).await;
    for hours in [100, 80, 60] {
        let of_some_regions = run(&db.pool, of, hours, DONE).await;
        drift(&db.pool, of_some_regions, 2, hours == 100).await;
    }
    run(&db.pool, of, 50, ("error", None)).await;
    let posture_of = async || posture(&mut db.pool.acquire().await.unwrap(), of.org).await.unwrap();
    let before = posture_of().await;
    assert_eq!(before[0].scan_id.map(jobs::ids::ScanId::uuid), Some(shown));

    let done = service(&db.pool, TENS).run_once().await.unwrap().expired;
    assert_eq!((done.runs, done.snapshots, done.items), (3, 2, 4));
    assert_eq!(left(&db.pool).await, [90, 60], "the one that is shown, and the newest done one");
    assert_eq!(posture_of().await, before);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM drift_item").await, 5);
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap().expired.runs, 0);
}

#[tokio::test]
async fn the_run_that_an_account_names_as_its_last_stays() {
    let db = TestDb::new().await;
    let of = owned(&db.pool, "free").await;
    // It was asked for before the other one, and ended after it.
    let last = run(&db.pool, of, 60, DONE).await;
    run(&db.pool, of, 50, DONE).await;
    sqlx::query("UPDATE cloud_account SET last_scan_id = $1").bind(last).execute(&db.pool).await.unwrap();
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap().expired.runs, 0);
}

#[tokio::test]
async fn each_plan_keeps_what_it_says_and_each_account_its_own_newest() {
    let db = TestDb::new().await;
    let (free, team) = (owned(&db.pool, "free").await, owned(&db.pool, "team").await);
    let second = Of { account: account(&db.pool, free.org).await, ..free };
    for of in [free, second, team, owned(&db.pool, "enterprise").await] {
        for hours in [24 * 400, 30, 25, 23] {
            run(&db.pool, of, hours, DONE).await;
        }
    }
    let only_old = owned(&db.pool, "free").await;
    run(&db.pool, only_old, 24 * 500, DONE).await;
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap().expired.runs, 6);
    assert_eq!(left(&db.pool).await, [12_000, 9_600, 9_600, 30, 30, 25, 25, 23, 23, 23, 23]);
}

#[tokio::test]
async fn many_runs_of_many_organisations_go_a_batch_at_a_time() {
    let db = TestDb::new().await;
    for _ in 0..4 {
        let of = owned(&db.pool, "free").await;
        for hours in 25..32 {
            run(&db.pool, of, hours, DONE).await;
        }
    }
    let few = service(&db.pool, ONE_TEN).run_once().await.unwrap();
    assert_eq!((few.expired.runs, few.has_more), (9, true), "ten, of which one stays");
    let rest = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!((rest.expired.runs, rest.has_more), (15, false));
    assert_eq!(left(&db.pool).await, [25; 4]);
}

#[tokio::test]
async fn a_drift_of_more_items_than_a_batch_goes_in_parts_and_its_run_with_the_last() {
    let db = TestDb::new().await;
    let of = owned(&db.pool, "free").await;
    let large = run(&db.pool, of, 50, DONE).await;
    drift(&db.pool, large, 25, false).await;
    for (hours, items) in [(49, 4), (48, 4), (47, 4)] {
        let small = run(&db.pool, of, hours, DONE).await;
        drift(&db.pool, small, items, false).await;
    }
    let newest = run(&db.pool, of, 1, DONE).await;
    drift(&db.pool, newest, 1, true).await;
    let service = service(&db.pool, ONE_TEN);
    let mut done = Vec::new();
    loop {
        let run = service.run_once().await.unwrap();
        done.push((run.expired.runs, run.expired.snapshots, run.expired.items));
        if !run.has_more {
            break;
        }
    }
    // With a run two of the small ones fill a batch.
    assert_eq!(done, [(0, 0, 10), (0, 0, 10), (1, 1, 5), (2, 2, 8), (1, 1, 4)]);
    assert_eq!(left(&db.pool).await, [1]);
}

#[tokio::test]
async fn more_that_stay_than_a_batch_holds_up_nothing_behind_them() {
    let db = TestDb::new().await;
    let of = owned(&db.pool, "free").await;
    for _ in 0..25 {
        run(&db.pool, of, 90, ("pending", None)).await;
    }
    for hours in [80, 70, 60] {
        run(&db.pool, of, hours, DONE).await;
    }
    // All of one moment, as scans are that one request asked for.
    sqlx::query("UPDATE scan_run SET created_at = now() - interval '90 hours' WHERE status = 'pending'")
        .execute(&db.pool)
        .await
        .unwrap();
    let service = service(&db.pool, ONE_TEN);
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(service.run_once().await.unwrap().expired.runs);
    }
    assert_eq!(runs, [0, 0, 2], "a run goes on where the one before it ended");
    assert_eq!(number(&db.pool, "SELECT count(*) FROM scan_run").await, 26);
}
