//! What a firing does.

use chrono::TimeDelta;
use jobs::domain::{FiringOutcome, FiringTrigger, Plan, RunStatus, ScanType};
use jobs::schedules::timing::spread;

use super::World;

#[tokio::test]
async fn each_account_is_scanned_and_the_schedule_goes_on() {
    let world = World::new(Plan::Team).await;
    let accounts = [world.account().await, world.account().await];
    let schedule = world.schedule("*/15 * * * *", None).await;
    let scheduled_for = world.make_due(&schedule).await;
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.scans, fired.refused, fired.is_full), (1, 2, 0, false));

    let scans = world.open_scans().await;
    assert!(scans.iter().map(|scan| scan.cloud_account_id).eq(accounts));
    for scan in &scans {
        assert_eq!((scan.scan_type, scan.status), (ScanType::Scheduled, RunStatus::Pending));
        assert_eq!(scan.filter_regions, ["eu-west-1"]);
        assert_eq!((scan.schedule_id, scan.scheduled_for), (Some(schedule.id), Some(scheduled_for)));
    }
    assert_eq!(
        world.number("SELECT count(*) FROM job j JOIN scan_run r ON r.job_id = j.id WHERE j.kind = 'scan'").await,
        2
    );

    let after = world.find(schedule.id).await;
    assert_eq!(after.next_run_at, Some(scheduled_for + TimeDelta::minutes(15) + spread(schedule.id)));
    assert!(after.last_run_at.is_some() && after.last_error.is_none());
    let [firing] = &world.firings(schedule.id).await[..] else { panic!("one firing") };
    assert_eq!((firing.trigger, firing.outcome, firing.scans), (FiringTrigger::Cron, FiringOutcome::Started, 2));
    assert_eq!((firing.missed_count, firing.finished_at), (0, None));

    let audited: (String, String, String, String) = sqlx::query_as(
        "SELECT actor_kind, actor_id, action, details->>'scheduled_for' FROM audit_event WHERE action = 'scan.queued'",
    )
    .fetch_one(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(
        (audited.0.as_str(), audited.1, audited.2.as_str()),
        ("schedule", schedule.id.to_string(), "scan.queued")
    );
    assert_eq!(audited.3.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), scheduled_for);

    assert_eq!(world.fire().await, jobs::schedules::Fired::default(), "nothing more is due");
}

#[tokio::test]
async fn what_had_fired_for_that_time_does_not_again() {
    let world = World::new(Plan::Team).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    let scheduled_for = world.make_due(&schedule).await;
    assert_eq!(world.fire().await.started, 1);
    // As if a restored backup, or somebody's hand, had set it back.
    world.plan(&schedule, scheduled_for).await;
    let again = world.fire().await;
    assert_eq!((again.started, again.scans, again.refused), (0, 0, 0));
    assert_eq!((world.open_scans().await.len(), world.firings(schedule.id).await.len()), (1, 1));
    assert_eq!(world.number("SELECT count(*) FROM schedule WHERE next_run_at > now()").await, 1, "it goes on");
}

#[tokio::test]
async fn what_is_switched_off_or_deleted_does_not_fire() {
    let world = World::new(Plan::Team).await;
    world.account().await;
    for change in ["enabled = false, next_run_at = NULL", "deleted_at = now(), next_run_at = NULL"] {
        let schedule = world.schedule("0 * * * *", None).await;
        world.make_due(&schedule).await;
        let change = format!("UPDATE schedule SET {change} WHERE id = '{}'", schedule.id);
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&world.db.pool).await.unwrap();
    }
    assert_eq!(world.fire().await, jobs::schedules::Fired::default());
    let impossible = sqlx::query("UPDATE schedule SET next_run_at = now()").execute(&world.db.pool).await;
    assert!(impossible.is_err(), "the table does not take it either");
}

#[tokio::test]
async fn a_batch_ends_where_it_was_told_to_and_says_so() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    for _ in 0..7 {
        let schedule = world.schedule("0 * * * *", None).await;
        world.make_due(&schedule).await;
    }
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let fired = jobs::schedules::fire_due(&mut *world.conn().await, 3).await.unwrap();
        sizes.push((fired.started, fired.is_full));
    }
    assert_eq!(sizes, [(3, true), (3, true), (1, false)]);
    assert_eq!(world.open_scans().await.len(), 7);
}

#[tokio::test]
async fn a_line_that_is_not_understood_any_more_is_switched_off_and_holds_up_nobody() {
    let world = World::new(Plan::Team).await;
    world.account().await;
    let broken = world.schedule("0 * * * *", None).await;
    let whole = world.schedule("0 * * * *", None).await;
    for schedule in [&broken, &whole] {
        world.make_due(schedule).await;
    }
    sqlx::query("UPDATE schedule SET timezone = 'Mars/Olympus' WHERE id = $1")
        .bind(broken.id.uuid())
        .execute(&world.db.pool)
        .await
        .unwrap();
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.unreadable), (1, 1));
    let broken = world.find(broken.id).await;
    assert!(!broken.enabled && broken.next_run_at.is_none());
    assert!(broken.disabled_reason.unwrap().contains("Mars/Olympus"));
    assert_eq!(world.events().await, [super::world::DISABLED]);
}
