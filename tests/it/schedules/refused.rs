//! Firings that start nothing, or less than all.

use jobs::domain::{FiringOutcome, FiringTrigger, Plan};
use jobs::schedules::Run;

use super::World;

#[tokio::test]
async fn what_still_runs_is_passed_over_and_the_rest_is_scanned() {
    let world = World::new(Plan::Team).await;
    let (slow, quick) = (world.account().await, world.account().await);
    let schedule = world.schedule("* * * * *", None).await;
    world.make_due(&schedule).await;
    world.fire().await;
    let scans = world.open_scans().await;
    let quick_scan = scans.iter().find(|scan| scan.cloud_account_id == quick).unwrap();
    world.finish(quick_scan).await;

    forget_firings(&world).await;
    world.make_due(&schedule).await;
    assert_eq!(world.fire().await.scans, 1);
    let [firing] = &world.firings(schedule.id).await[..] else { panic!("one firing") };
    assert_eq!((firing.outcome, firing.scans, firing.passed_over), (FiringOutcome::Started, 1, 1));

    forget_firings(&world).await;
    world.make_due(&schedule).await;
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.refused), (0, 1));
    let [firing] = &world.firings(schedule.id).await[..] else { panic!("one firing") };
    assert_eq!((firing.outcome, firing.passed_over), (FiringOutcome::StillRunning, 2));
    let error = world.find(schedule.id).await.last_error.unwrap();
    assert!(error.contains("the schedule's last scan has not ended yet"), "{error}");
    assert!(matches!(world.run_now(schedule.id).await, Run::StillRunning));
    let _ = slow;
}

/// So that the same minute may fire again.
async fn forget_firings(world: &World) {
    sqlx::query("DELETE FROM schedule_firing").execute(&world.db.pool).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_scan_of_the_account_is_no_reason() {
    let world = World::new(Plan::Team).await;
    let account = world.account().await;
    let other = world.schedule("0 * * * *", Some(account)).await;
    let schedule = world.schedule("0 * * * *", Some(account)).await;
    assert!(matches!(world.run_now(other.id).await, Run::Started(_)));
    world.make_due(&schedule).await;
    assert_eq!(world.fire().await.scans, 1, "it waits for its turn in the queue");
}

#[tokio::test]
async fn without_an_account_there_is_nothing_to_scan() {
    let world = World::new(Plan::Team).await;
    let schedule = world.schedule("0 * * * *", None).await;
    world.make_due(&schedule).await;
    assert_eq!(world.fire().await.refused, 1);
    assert_eq!(world.firings(schedule.id).await[0].outcome, FiringOutcome::NoAccounts);
    assert!(matches!(world.run_now(schedule.id).await, Run::NoAccounts));
    assert_eq!(world.find(schedule.id).await.consecutive_failures, 0);
}

#[tokio::test]
async fn the_plan_limits_scans_at_once_whatever_starts_them() {
    let world = World::new(Plan::Free).await;
    let account = world.account().await;
    let first = world.schedule("0 * * * *", Some(account)).await;
    let second = world.schedule("0 * * * *", Some(account)).await;
    for schedule in [&first, &second] {
        world.make_due(schedule).await;
    }
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.refused), (1, 1), "both in one transaction");
    let refused = if world.find(first.id).await.last_error.is_some() { first } else { second };
    assert_eq!(world.firings(refused.id).await[0].outcome, FiringOutcome::PlanLimit);
    let error = world.find(refused.id).await.last_error.unwrap();
    assert!(error.contains("the free plan allows 1 concurrent scans, and 1 are in use"), "{error}");
    match world.run_now(refused.id).await {
        Run::PlanLimit(exceeded) => assert_eq!((exceeded.limit, exceeded.used), (1, 1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.firings(refused.id).await.len(), 1, "a run that was refused leaves no trace");
    world.end_all(None).await;
    assert!(matches!(world.run_now(refused.id).await, Run::Started(_)));
    assert_eq!(world.firings(refused.id).await[0].trigger, FiringTrigger::Manual);
}
