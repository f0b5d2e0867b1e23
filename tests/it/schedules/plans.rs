//! What schedulers and their users ask goes by indexes, however many schedules, firings and scans there are.

use jobs::db::schedule;
use jobs::db::{Page, scan_run};
use jobs::domain::Plan;

use super::World;
use crate::support::plans::{go_by, plans, walk_along};

/// 20,000 schedules of 20 organisations, of which 50 are due, with a firing and two ended scans each; of the others one more is open.
const MANY: &str = "
    INSERT INTO org (id, slug, display_name, plan)
    SELECT md5('o' || n)::uuid, 'org-' || n, 'Acme', 'enterprise' FROM generate_series(1, 20) n;
    INSERT INTO cloud_account (id, org_id, provider, external_account_id, display_name, credential_type, credential, default_region)
    SELECT md5('a' || n)::uuid, md5('o' || n % 20 + 1)::uuid, 'aws', n, 'production', 'access_key', '', 'us-east-1'
      FROM generate_series(1, 1000) n;
    INSERT INTO schedule (id, org_id, cloud_account_id, name, schedule, timezone, filter_regions, notify_webhook_config_ids, enabled,
                          next_run_at, created_by)
    SELECT md5('s' || n)::uuid, md5('o' || n % 20 + 1)::uuid, md5('a' || (n - 1) % 1000 + 1)::uuid, 'n', '0 * * * *', 'UTC', '{}', '{}', true,
           now() + (n - 50) * interval '1 minute', ''
      FROM generate_series(1, 20000) n;
    INSERT INTO schedule_firing (schedule_id, scheduled_for, org_id, trigger, outcome, scans, fired_at)
    SELECT id, created_at, org_id, 'cron', 'started', 2, now() - interval '100 days' FROM schedule;
    INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, status, started_at, finished_at, schedule_id, scheduled_for)
    SELECT gen_random_uuid(), org_id, cloud_account_id, 'aws', 'scheduled', 'done', now(), now(), id, created_at
      FROM schedule, generate_series(1, 2);
    INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, schedule_id, scheduled_for)
    SELECT gen_random_uuid(), org_id, cloud_account_id, 'aws', 'scheduled', id, created_at FROM schedule WHERE next_run_at > now();
    ANALYZE";

#[tokio::test]
async fn what_schedulers_and_users_ask_goes_by_indexes() {
    let world = World::new(Plan::Enterprise).await;
    let mut conn = world.conn().await;
    let conn = &mut *conn;
    sqlx::raw_sql(MANY).execute(&mut *conn).await.unwrap();

    schedule::next_due(conn).await.unwrap();
    walk_along(&plans(conn, "min(next_run_at)").await, &["schedule_due_idx"]);
    let due = schedule::due(conn, 100).await.unwrap();
    assert_eq!(due.len(), 50);
    walk_along(&plans(conn, "next_run_at <= now() ORDER BY").await, &["schedule_due_idx"]);
    let ids: Vec<_> = due.iter().map(|schedule| schedule.id).collect();
    assert_eq!(schedule::targets(conn, &ids).await.unwrap().len(), 50);
    // Accounts are few, and may be read as the planner likes.
    let targets = plans(conn, "coalesce(s.cloud_account_id").await[0].to_string();
    for index in ["schedule_pkey", "scan_run_schedule_open_idx"] {
        assert!(targets.contains(index), "not by {index}: {targets}");
    }
    scan_run::count_open_of(conn, &[due[0].org_id]).await.unwrap();
    go_by(&plans(conn, "GROUP BY org_id").await, &["scan_run_open_idx"]);
    schedule::advance(conn, &[]).await.unwrap();
    go_by(&plans(conn, "SET next_run_at = n.next_run_at").await, &["schedule_pkey"]);

    let counts = schedule::count_scans(conn, due[0].id, due[0].created_at).await.unwrap().unwrap();
    assert_eq!(counts.all, 2);
    go_by(&plans(conn, "AS last_error").await, &["scan_run_firing_idx"]);
    go_by(&plans(conn, "AS \"any_open!\"").await, &[]);

    let page = Page { limit: 20, offset: 0 };
    assert_eq!(schedule::list(conn, due[0].org_id, page).await.unwrap().rows.len(), 20);
    walk_along(&plans(conn, "deleted_at IS NULL ORDER BY created_at DESC").await, &["schedule_org_idx"]);
    schedule::list_firings(conn, (due[0].org_id, due[0].id), page).await.unwrap();
    walk_along(&plans(conn, "ORDER BY scheduled_for DESC").await, &["schedule_firing_pkey"]);
    walk_along(&plans(conn, "LIMIT $3) counted").await, &["schedule_firing_pkey"]);
    let expired = schedule::expire_firings(conn, 90, None, 1_000).await.unwrap();
    assert_eq!(expired.done, 1_000);
    walk_along(&plans(conn, "DELETE FROM schedule_firing").await, &["schedule_firing_time_idx"]);
}
