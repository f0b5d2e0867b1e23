//! Schedulers whose clocks are wrong. The library that makes them wrong is for Linux; what it shows holds everywhere.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::db::schedule;
use jobs::domain::Plan;
use jobs::schedules::timing::spread;

use super::World;
use crate::support::process::Running;
use crate::support::{Plumbline, eventually};

/// A scheduler whose clock is wrong by so many seconds.
fn scheduler(world: &World, library: &Path, seconds: i32) -> Running {
    Plumbline::new(&["scheduler"])
        .database(&world.db)
        .env("LD_PRELOAD", library.to_str().unwrap())
        .env("SHIFT_SECONDS", &seconds.to_string())
        .env("PLUMBLINE_LOG_FORMAT", "json")
        .start()
}

/// How far the clock of whoever wrote this log was from ours.
fn shift_of(log: &str) -> TimeDelta {
    let line: serde_json::Value = log.lines().find_map(|line| serde_json::from_str(line).ok()).expect("a line of JSON");
    let time: DateTime<Utc> = line["timestamp"].as_str().unwrap().parse().unwrap();
    time - Utc::now()
}

#[tokio::test]
async fn five_minutes_off_fire_nothing_early_late_or_twice() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("shifted_clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schedules/shifted_clock.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.unwrap().success(), "Rust's linker builds it");

    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let now = schedule::now(&mut *world.conn().await).await.unwrap();
    let mut due = Vec::new();
    for nth in 0..60 {
        // Some have been due, most will be within seconds, and some that only a wrong clock takes for due.
        let after = if nth < 50 { TimeDelta::milliseconds(100 * (nth - 10)) } else { TimeDelta::minutes(4) };
        let schedule = world.schedule("0 0 1 1 *", None).await;
        world.plan(&schedule, now + after - spread(schedule.id)).await;
        due.push((schedule.id, now + after));
    }
    let schedulers = [-300, 300, 0].map(|seconds| (seconds, scheduler(&world, &library, seconds)));
    eventually("what is due has fired", async || {
        (world.number("SELECT count(*) FROM schedule_firing").await >= 50).then_some(())
    })
    .await;
    // Each of them looks once more, and finds nothing.
    for (seconds, mut scheduler) in schedulers {
        let (status, _) = scheduler.terminate();
        assert!(status.success());
        let log = scheduler.log();
        if !log.trim().is_empty() {
            let wrong = (shift_of(&log).num_seconds() - i64::from(seconds)).abs();
            assert!(wrong < 120, "its clock is {seconds} s off: {log}");
        }
    }
    for (nth, (id, due)) in due.into_iter().enumerate() {
        let firings = world.firings(id).await;
        assert_eq!(firings.len(), usize::from(nth < 50), "{nth}");
        for firing in firings {
            assert!(firing.fired_at >= due, "{nth}: early by {}", due - firing.fired_at);
            assert!(firing.fired_at < due + TimeDelta::minutes(2), "{nth}: late by {}", firing.fired_at - due);
        }
    }
    assert_eq!(world.number("SELECT count(*) FROM scan_run").await, 50);
}
