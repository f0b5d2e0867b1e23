//! The short form of `make chaos`: every fault at least once.

use crate::support::Plumbline;
use std::fs;

#[test]
fn under_every_fault_no_job_is_lost_and_no_effect_doubled() {
    let before = left_behind();
    let args = ["bench", "chaos", "--seconds", "20", "--workers", "3", "--rate", "60", "--json"];
    let output = Plumbline::new(&args).output();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    for fault in [
        "kills",
        "graceful_stops",
        "freezes",
        "restarts_fast",
        "restarts_immediate",
        "backend_terminations",
        "filled_slots",
        "held_snapshots",
        "locked_tables",
        "poisoned_processes",
        "stale_refused",
        "dead_as_expected",
    ] {
        assert!(report[fault].as_u64() >= Some(1), "{fault}: {report}");
    }
    assert_eq!((&report["lost"], &report["doubled"]), (&0.into(), &0.into()));
    assert!(report["done"].as_u64() > Some(100), "{report}");
    let after = left_behind();
    assert!(after.iter().all(|process| before.contains(process)), "{after:?} go on running");
}

#[test]
fn too_few_workers_are_refused() {
    let output = Plumbline::new(&["bench", "chaos", "--workers", "1"]).output();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2..=32"));
}

/// Workers of chaos and their Postgres, where the system lists processes as files.
fn left_behind() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let lines = entries.flatten().filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some(format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    lines.filter(|line| line.contains("chaos-worker")).collect()
}
