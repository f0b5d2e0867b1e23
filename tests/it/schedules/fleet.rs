//! Several scheduler processes, some of which come to harm.

use chrono::TimeDelta;
use jobs::db::schedule;
use jobs::domain::Plan;
use jobs::schedules::timing::spread;
use rustix::process::Signal;

use super::World;
use crate::support::{Plumbline, eventually};

/// Schedules, due within three seconds.
const SCHEDULES: i64 = 300;

#[tokio::test]
async fn two_killed_and_one_stopped_of_four_and_each_schedule_fires_once() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let now = schedule::now(&mut *world.conn().await).await.unwrap();
    for nth in 0..SCHEDULES {
        let schedule = world.schedule("0 0 1 1 *", None).await;
        world.plan(&schedule, now + TimeDelta::milliseconds(2_000 + 10 * nth) - spread(schedule.id)).await;
    }
    let fired = |least: i64| {
        let world = &world;
        async move || (world.number("SELECT count(*) FROM schedule_firing").await >= least).then_some(())
    };
    let mut schedulers: Vec<_> = (0..4).map(|_| Plumbline::new(&["scheduler"]).database(&world.db).start()).collect();
    eventually("some have fired", fired(1)).await;
    schedulers[0].kill();
    schedulers[1].signal(Signal::STOP);
    eventually("more have fired", fired(SCHEDULES / 3)).await;
    schedulers[2].kill();
    // What the stopped one may hold, the database takes from it.
    eventually("all have fired", fired(SCHEDULES)).await;
    schedulers[1].signal(Signal::CONT);
    let (status, _) = schedulers[1].terminate();
    assert!(status.success(), "it goes on where it stood: {}", schedulers[1].log());

    for query in [
        "SELECT count(*) FROM schedule_firing WHERE outcome = 'started' AND scans = 1",
        "SELECT count(*) FROM scan_run WHERE scan_type = 'scheduled'",
        "SELECT count(DISTINCT schedule_id) FROM scan_run",
        "SELECT count(*) FROM job WHERE kind = 'scan'",
        "SELECT count(*) FROM audit_event WHERE action = 'scan.queued'",
    ] {
        assert_eq!(world.number(query).await, SCHEDULES, "{query}");
    }
}
