//! Operators see and steer queues.

use jobs::domain::{Plan, Role};
use jobs::ids::{OrgId, ScanId};
use jobs::kinds::scan::Scan;
use jobs::queue::{self, ClaimRequest, Claimed, Lease, Look, Stream, census};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

const QUEUES: &str = "/api/v2/admin/queues";

pub async fn enqueue(fixture: &Fixture, org: OrgId) -> Uuid {
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    queue::enqueue(&mut conn, &Scan { org_id: org, scan_id: ScanId::new() }).await.unwrap().id.uuid()
}

/// Claims a job of the queue `scans`, as a worker would.
pub async fn claim(fixture: &Fixture) -> Vec<Claimed> {
    claim_of(fixture, "scans").await
}

/// Claims a job of a queue, as a worker would.
pub async fn claim_of(fixture: &Fixture, queue: &str) -> Vec<Claimed> {
    let lease = Lease::register(&fixture.db.pool, "test:1", &[queue.to_owned()]).await.unwrap();
    let after = Stream::default();
    let look = Look::Everywhere { after: &after };
    let request = ClaimRequest { worker: lease.worker(), queue, limit: 1, look };
    queue::claim(&mut fixture.db.pool.acquire().await.unwrap(), request).await.unwrap().jobs
}

/// The platform's audit chain, oldest first.
async fn audited(fixture: &Fixture) -> Vec<(String, String, Value)> {
    sqlx::query_as(
        "SELECT action, target_id, details FROM audit_event WHERE chain_id = $1 AND actor_kind = 'operator' ORDER BY seq",
    )
    .bind(Uuid::nil())
    .fetch_all(&fixture.db.pool)
    .await
    .unwrap()
}

fn named<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap()
}

#[tokio::test]
async fn an_unknown_queue_is_told_with_those_there_are() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    assert_answer!(operator.post(&format!("{QUEUES}/scnas/pause"), &json!({})).await);
    operator.post(&format!("{QUEUES}/scnas/resume"), &json!({})).await.expect(404);
    assert!(audited(&fixture).await.is_empty());
    let long = operator.post(&format!("{QUEUES}/{}/pause", "x".repeat(5_000)), &json!({})).await.expect(404);
    assert!(long["error"].as_str().unwrap().len() < 500);
}

#[tokio::test]
async fn a_bad_note_changes_nothing() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let path = format!("{QUEUES}/scans/pause");
    for (body, status) in [
        (json!({"note": "x".repeat(501)}), 422),
        (json!({"note": "a\u{0}b"}), 422),
        (json!({"why": "x"}), 400),
        (json!(["x"]), 400),
        (json!({"note": 5}), 400),
    ] {
        operator.post(&path, &body).await.expect(status);
    }
    let viewer = fixture.caller(fixture.org("acme", Plan::Free).await, Role::Owner).await;
    viewer.post(&path, &json!({})).await.expect(403);
    assert!(named(&operator.get(QUEUES).await.expect(200), "scans")["paused_at"].is_null());
}

#[tokio::test]
async fn a_paused_queue_starts_nothing_and_a_resumed_one_does() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    enqueue(&fixture, org).await;
    let steer = |verb| format!("{QUEUES}/scans/{verb}");
    let paused = operator.post(&steer("pause"), &json!({"note": "throttled"})).await.expect(200);
    assert_eq!(paused, json!({"name": "scans", "paused": true, "changed": true}));
    assert!(claim(&fixture).await.is_empty());
    let again = operator.send(operator.request(reqwest::Method::POST, &steer("pause"))).await.expect(200);
    assert_eq!(again["changed"], false, "and no body is needed");
    let listed = operator.get(QUEUES).await.expect(200);
    assert_eq!(named(&listed, "scans")["paused_by"], "on-call");
    assert!(named(&listed, "scans")["paused_at"].is_string());
    assert!(named(&listed, "drift")["paused_at"].is_null());

    assert_eq!(operator.post(&steer("resume"), &json!({})).await.expect(200)["changed"], true);
    assert_eq!(operator.post(&steer("resume"), &json!({})).await.expect(200)["changed"], false);
    assert_eq!(claim(&fixture).await.len(), 1);
    let row = |action: &str, note| (action.to_owned(), "scans".to_owned(), json!({"note": note}));
    assert_eq!(
        audited(&fixture).await,
        [row("queue.paused", Some("throttled")), row("queue.resumed", None)],
        "changes, and nothing else"
    );
}

#[tokio::test]
async fn a_queue_tells_how_it_stands_and_how_old_that_is() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    let unknown = operator.get(QUEUES).await.expect(200);
    assert!(unknown["queues"].as_array().unwrap().iter().all(|queue| queue["measured_at"].is_null()));
    for _ in 0..3 {
        enqueue(&fixture, org).await;
    }
    claim(&fixture).await;
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    assert!(census::take(&mut conn).await.unwrap());
    sqlx::query("INSERT INTO queue_minute VALUES (date_trunc('minute', now()), 'scans', 'scan', 'done', 12, 24000, 9000, 12000, 5000)")
        .execute(&mut *conn)
        .await
        .unwrap();
    let listed = operator.get(QUEUES).await.expect(200);
    let scans = named(&listed, "scans");
    let counts = ["ready", "scheduled", "running", "dead", "workers"].map(|name| scans[name].as_i64().unwrap());
    assert_eq!(counts, [2, 0, 1, 0, 1], "{scans}");
    assert!(scans["measured_at"].is_string() && scans["oldest_ready_s"].as_f64().unwrap() >= 0.0);
    assert_eq!(scans["kinds"][0]["kind"], "scan");
    assert_eq!(scans["ran"], json!({"mean_ms": 2.0, "max_ms": 9.0}));
    assert_eq!(scans["waited"], json!({"mean_ms": 1.0, "max_ms": 5.0}));
    let rate = scans["last_5_minutes"]["done_per_minute"].as_f64().unwrap();
    assert!((2.0..=2.4).contains(&rate), "twelve in five to six minutes: {rate}");

    let first = operator.get(&format!("{QUEUES}?limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = operator.get(&format!("{QUEUES}?limit=1&cursor={cursor}")).await.expect(200);
    assert!(first["queues"][0]["name"].as_str().unwrap() < second["queues"][0]["name"].as_str().unwrap());

    let metrics = fixture.api.get("/metrics").await.expect(200);
    let text = metrics.as_str().unwrap();
    for line in [
        "plumbline_queue_ready{queue=\"scans\",kind=\"scan\"} 2\n",
        "plumbline_queue_running{queue=\"scans\",kind=\"scan\"} 1\n",
        "plumbline_queue_dead{queue=\"scans\",kind=\"scan\"} 0\n",
        "plumbline_queue_ready{queue=\"drift\",kind=\"compute_drift\"} 0\n",
        "# TYPE plumbline_queue_oldest_ready_seconds gauge\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
