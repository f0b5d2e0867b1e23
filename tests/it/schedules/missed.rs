//! Firings that no scheduler was there for.

use chrono::TimeDelta;
use jobs::db::schedule;
use jobs::domain::{FiringOutcome, Plan};

use super::{World, at};

#[tokio::test]
async fn many_are_one_and_the_rest_is_written_down() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("*/5 * * * *", None).await;
    let newest = world.make_due(&schedule).await;
    let first = newest - TimeDelta::hours(1);
    world.plan(&schedule, first).await;
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.scans), (1, 1));
    assert_eq!(world.fire().await.started, 0, "and no more");
    let [firing] = &world.firings(schedule.id).await[..] else { panic!("one firing") };
    assert_eq!((firing.outcome, firing.scheduled_for), (FiringOutcome::Started, newest));
    assert_eq!((firing.missed_count, firing.missed_since), (12, Some(first)));
    assert!(world.find(schedule.id).await.next_run_at.unwrap() > newest);
}

#[tokio::test]
async fn what_is_older_than_the_period_is_not_made_up_for() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    // Once an hour, but for the hours around now: the newest time is at least two hours old.
    let now = schedule::now(&mut *world.conn().await).await.unwrap();
    let hours: Vec<String> = (3..10).map(|back| (now - TimeDelta::hours(back)).format("%-H").to_string()).collect();
    let schedule = world.schedule(&format!("0 {} * * *", hours.join(",")), None).await;
    let old = (now - TimeDelta::hours(3)).format("%Y-%m-%dT%H:00:00Z").to_string();
    world.plan(&schedule, at(&old)).await;
    let fired = world.fire().await;
    assert_eq!((fired.started, fired.refused), (0, 1));
    let [firing] = &world.firings(schedule.id).await[..] else { panic!("one firing") };
    assert_eq!((firing.outcome, firing.scheduled_for, firing.scans), (FiringOutcome::Missed, at(&old), 0));
    let after = world.find(schedule.id).await;
    assert!(after.next_run_at.unwrap() > now && after.last_run_at.is_none());
    let error = after.last_error.unwrap();
    assert!(error.contains("no scheduler was running when it was due"), "{error}");
}
