//! People and schedulers at the same schedule at the same time.

use std::time::Duration;

use jobs::audit::{Actor, By, Origin};
use jobs::db::schedule;
use jobs::domain::Plan;
use jobs::schedules::{self, Fired, timing};

use super::World;
use crate::support::eventually;

#[tokio::test]
async fn a_hundred_schedulers_at_once_fire_each_schedule_once() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    for _ in 0..40 {
        let schedule = world.schedule("0 * * * *", None).await;
        world.make_due(&schedule).await;
    }
    let schedulers = (0..100).map(|_| async { schedules::fire_due(&mut *world.conn().await, 7).await.unwrap() });
    let fired: Vec<Fired> = futures::future::join_all(schedulers).await;
    assert_eq!(fired.iter().map(|fired| fired.started).sum::<usize>(), 40);
    assert_eq!(world.number("SELECT count(*) FROM schedule_firing WHERE outcome = 'started' AND scans = 1").await, 40);
    assert_eq!(world.number("SELECT count(DISTINCT schedule_id) FROM scan_run").await, 40);
    assert_eq!(world.number("SELECT count(*) FROM scan_run").await, 40);
}

#[tokio::test]
async fn a_schedule_that_is_being_changed_is_passed_over_and_fires_as_it_is_afterwards() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    world.make_due(&schedule).await;
    let mut change = world.db.pool.begin().await.unwrap();
    let before = schedule::lock(&mut change, world.org, schedule.id).await.unwrap().unwrap();
    assert_eq!(world.fire().await, Fired::default(), "nobody waits for the change");
    let settings = schedule::Settings { schedule: "30 4 1 1 *", ..before.settings() };
    let timetable = timing::read(settings.schedule, settings.timezone).unwrap();
    let (actor, origin) = (Actor::platform(), Origin::default());
    let by = By { actor: &actor, origin: &origin };
    let after = schedules::update(&mut change, by, &before, (settings, &timetable)).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(world.fire().await, Fired::default(), "it is not due any more");
    assert_eq!(world.find(schedule.id).await.next_run_at, after.next_run_at);
    assert!(world.firings(schedule.id).await.is_empty());
}

#[tokio::test]
async fn a_schedule_that_is_being_deleted_does_not_fire() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    world.make_due(&schedule).await;
    let (actor, origin) = (Actor::platform(), Origin::default());
    let mut tx = world.db.pool.begin().await.unwrap();
    let locked = schedule::lock(&mut tx, world.org, schedule.id).await.unwrap().unwrap();
    schedules::delete(&mut tx, By { actor: &actor, origin: &origin }, &locked).await.unwrap();
    assert_eq!(world.fire().await, Fired::default(), "nobody waits for the deletion");
    tx.commit().await.unwrap();
    assert_eq!(world.fire().await, Fired::default());
    assert!(world.open_scans().await.is_empty());
}

#[tokio::test]
async fn a_change_waits_for_a_firing_and_sees_what_it_did() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    let scheduled_for = world.make_due(&schedule).await;
    // A scheduler in the middle of its transaction: its scans are held up at the organisation's chain.
    let mut chain = world.db.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM audit_chain WHERE org_id = $1 FOR UPDATE")
        .bind(world.org.uuid())
        .fetch_one(&mut *chain)
        .await
        .unwrap();
    let firing = async { world.fire().await };
    let change = async {
        eventually("the scheduler waits", async || (waiting(&world).await == 1).then_some(())).await;
        let mut tx = world.db.pool.begin().await.unwrap();
        let locking = schedule::lock(&mut tx, world.org, schedule.id);
        let release = async {
            eventually("the change waits", async || (waiting(&world).await == 2).then_some(())).await;
            chain.rollback().await.unwrap();
        };
        let (locked, ()) = tokio::join!(locking, release);
        locked.unwrap().unwrap()
    };
    let (fired, seen) = tokio::join!(firing, change);
    assert_eq!(fired.started, 1);
    assert!(seen.last_run_at.is_some() && seen.next_run_at.unwrap() > scheduled_for + Duration::from_mins(50));
}

async fn waiting(world: &World) -> i64 {
    world
        .number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        .await
}
