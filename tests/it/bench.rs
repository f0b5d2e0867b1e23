//! The benchmarks run, count what they claim to count, and leave nothing behind. Their times are nobody's business here.

use crate::support::{Plumbline, TestDb};
use serde_json::Value;

fn bench(db: &TestDb, args: &[&str]) -> Value {
    let args: Vec<&str> = ["bench"].iter().chain(args).copied().collect();
    Plumbline::new(&args).database(db).json().remove(0)
}

fn positive(line: &Value, fields: &[&str]) {
    for field in fields {
        assert!(line[field].as_f64().is_some_and(|value| value > 0.0), "{field} of {line}");
    }
}

#[tokio::test]
async fn throughput_counts_every_job_and_what_it_wrote() {
    let db = TestDb::new().await;
    let enqueued = bench(&db, &["enqueue", "--jobs", "2500"]);
    assert_eq!(enqueued["jobs"], 2500);
    positive(&enqueued, &["jobs_per_s", "wal_bytes_per_job"]);
    for processes in ["1", "2"] {
        let burnt = bench(&db, &["burn", "--jobs", "2500", "--processes", processes]);
        assert_eq!(burnt["jobs"], 2500);
        positive(&burnt, &["jobs_per_s", "wal_bytes_per_job"]);
        assert_eq!(burnt["dead_tuples_per_job"], 2.0, "one by the claim, one by the end: {burnt}");
    }
    let claimed = bench(&db, &["claim", "--waiting", "1000", "--claims", "10"]);
    positive(&claimed, &["one_p99_ms", "of_500_p99_ms"]);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'plumbline_bench'")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn waits_are_measured_and_nothing_is_missing() {
    let db = TestDb::new().await;
    let latency = bench(&db, &["latency", "--rate", "50", "--seconds", "2"]);
    assert_eq!((&latency["jobs"], &latency["missing"]), (&100.into(), &0.into()));
    positive(&latency, &["p50_ms", "p99_ms", "enqueue_p50_ms"]);
    let fairness = bench(&db, &["fairness", "--backlog", "500", "--tenants", "5", "--seconds", "2"]);
    assert_eq!((&fairness["missing"], &fairness["unloaded_missing"]), (&0.into(), &0.into()));
    positive(&fairness, &["p99_ms", "unloaded_p99_ms"]);
    let soak = ["bench", "soak", "--seconds", "4", "--every", "2", "--waiting", "500", "--snapshot-at", "2"];
    let lines = Plumbline::new(&soak).database(&db).json();
    assert_eq!(lines.iter().map(|line| &line["snapshot_held"]).collect::<Vec<_>>(), [false, true]);
    positive(&lines[1], &["jobs_per_s"]);
}

#[tokio::test]
async fn a_limit_of_three_is_three_in_four_processes() {
    let db = TestDb::new().await;
    let limit = bench(&db, &["limit", "--limit", "3", "--processes", "4", "--jobs", "100"]);
    assert_eq!((&limit["highest_running"], &limit["ran"]), (&3.into(), &100.into()), "{limit}");
}

#[tokio::test]
async fn as_a_peer_each_phase_is_a_process_of_its_own() {
    let db = TestDb::new().await;
    let phase = |name: &'static str| {
        let settings = [("BENCH_JOBS", "1000"), ("BENCH_RATE", "20"), ("BENCH_SECS", "1")];
        settings.iter().fold(Plumbline::new(&["bench", "peer", name]).database(&db), |command, (key, value)| {
            command.env(key, value)
        })
    };
    assert_eq!(phase("setup").stdout(), "");
    assert_eq!(phase("enqueue").json()[0]["jobs"], 1000);
    let burnt = phase("burn").json().remove(0);
    assert_eq!((&burnt["handled"], &burnt["peer"]), (&1000.into(), &"ours".into()));
    assert_eq!(phase("latency").json()[0]["lat_missing"], 0);
}

/// What `bench deliver` says of every measure: each message arrived exactly once, and is written down so.
fn all_arrived(line: &Value, deliveries: u64) {
    for field in ["missing", "duplicates", "unknown", "refused"] {
        assert_eq!(line[field], 0, "{field} of {line}");
    }
    for field in ["deliveries", "rows", "rows_delivered", "rows_of_attempts"] {
        assert_eq!(line[field], deliveries, "{field} of {line}");
    }
}

#[tokio::test]
async fn every_webhook_arrives_once_and_its_signature_is_right() {
    let db = TestDb::new().await;
    let small = ["--orgs", "2", "--endpoints", "3", "--concurrency", "1"];
    let deliver = |what: &[&str]| bench(&db, &[&["deliver"], what, &small].concat());
    let sustained = deliver(&["sustained", "--deliveries", "200"]);
    all_arrived(&sustained, 201);
    assert_eq!((&sustained["events"], &sustained["endpoints"]), (&67.into(), &6.into()), "whole events");
    positive(&sustained, &["deliveries_per_s", "wal_bytes_per_delivery", "verification_us"]);
    let rate = deliver(&["rate", "--rate", "30", "--seconds", "2"]);
    all_arrived(&rate, 60);
    positive(&rate, &["p50_ms", "p99_ms", "achieved_rate", "record_p50_ms"]);
}

#[tokio::test]
async fn webhooks_arrive_beside_endpoints_that_hang() {
    let db = TestDb::new().await;
    let small = ["--orgs", "2", "--endpoints", "3", "--hanging", "2", "--max-in-flight", "2"];
    let hanging = bench(&db, &[&["deliver", "hanging", "--rate", "30", "--seconds", "2"], &small[..]].concat());
    all_arrived(&hanging, 120);
    assert_eq!(hanging["hanging_open_most"], 4, "as many as may be in flight: {hanging}");
    positive(&hanging, &["alone_p99_ms", "p99_ms", "hanging_requests"]);
}

#[tokio::test]
async fn maintenance_leaves_nothing_that_is_past_its_time_and_the_queue_runs_beside_it() {
    let db = TestDb::new().await;
    let args = ["bench", "maintenance", "--rows", "2000", "--batch", "500", "--seconds", "2", "--rate", "50"];
    let lines = Plumbline::new(&args).database(&db).json();
    let services: Vec<_> = lines.iter().filter_map(|line| line["service"].as_str()).collect();
    assert_eq!(services, ["events", "dead_letters", "idempotency_keys", "scans", "rescuer"]);
    for (line, rows) in lines.iter().zip([6_000, 2_000, 2_000]) {
        assert_eq!((&line["rows"], &line["batch"]), (&rows.into(), &500.into()), "{line}");
        positive(line, &["batches", "seconds", "batch_p99_ms"]);
    }
    // But for the newest of each of ten accounts, and those that their postures show.
    let runs = lines[3]["of"]["runs"].as_u64().unwrap();
    assert!((1_980..=1_990).contains(&runs), "{}", lines[3]);
    let latency = lines.last().unwrap();
    assert_eq!((&latency["missing"], &latency["alone_missing"]), (&0.into(), &0.into()), "{latency}");
    positive(latency, &["alone_p99_ms", "p99_ms", "p99_ratio"]);
}
