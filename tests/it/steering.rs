//! Steering the queue from the command line.

use crate::support::{Plumbline, TestDb};
use jobs::db;
use jobs::domain::Plan;
use jobs::ids::{JobId, OrgId, ScanId};
use jobs::kinds::scan::Scan;
use jobs::queue::{self, Lease};
use serde_json::json;
use std::collections::BTreeSet;

fn command(db: &TestDb, args: &[&str]) -> Plumbline {
    Plumbline::new(args).database(db)
}

/// Runs what must fail, and answers what it says.
fn refused(db: &TestDb, args: &[&str]) -> String {
    let output = command(db, args).output();
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn enqueue(db: &TestDb, org: OrgId) -> String {
    let mut conn = db.pool.acquire().await.unwrap();
    queue::enqueue(&mut conn, &Scan { org_id: org, scan_id: ScanId::new() }).await.unwrap().id.to_string()
}

async fn org(db: &TestDb) -> OrgId {
    let new = db::org::NewOrg { slug: "acme", display_name: "acme", plan: Plan::Free };
    db::org::insert(&mut db.pool.acquire().await.unwrap(), &new).await.unwrap().id
}

#[tokio::test]
async fn what_there_is_not_is_named() {
    let db = TestDb::new().await;
    let message = refused(&db, &["queue", "pause", "scnas"]);
    assert!(message.contains("scnas") && message.contains("scans"), "{message}");
    let id = JobId::new().to_string();
    for verb in ["show", "cancel"] {
        let message = refused(&db, &["job", verb, &id]);
        assert!(message.contains(&id), "{message}");
    }
    assert!(refused(&db, &["job", "list", "--queue", "scnas"]).contains("scans"));
    assert!(refused(&db, &["job", "list", "--kind", "scna"]).contains("kind"));
    assert!(refused(&db, &["job", "list", "--org", "nobody"]).contains("nobody"));
    for wrong in [["job", "show", "x"], ["job", "list", "--state=dead"], ["job", "list", "--limit=0"]] {
        assert_eq!(command(&db, &wrong).output().status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn queues_are_paused_and_resumed_once() {
    let db = TestDb::new().await;
    let steer = |verb| command(&db, &["queue", verb, "scans", "--json"]).json().remove(0);
    assert_eq!(steer("pause"), json!({"name": "scans", "paused": true, "changed": true}));
    assert_eq!(steer("pause")["changed"], false);
    let listed = command(&db, &["queue", "list", "--json"]).json();
    let scans = listed.iter().find(|queue| queue["name"] == "scans").unwrap();
    assert!(scans["paused_by"].as_str().unwrap().contains("command line"), "{scans}");
    assert!(command(&db, &["queue", "list"]).stdout().starts_with("NAME"));
    assert_eq!(steer("resume"), json!({"name": "scans", "paused": false, "changed": true}));
    assert_eq!(steer("resume")["changed"], false);
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_event ORDER BY seq").fetch_all(&db.pool).await.unwrap();
    assert_eq!(actions, ["queue.paused", "queue.resumed"]);
}

#[tokio::test]
async fn jobs_are_listed_shown_and_cancelled() {
    let db = TestDb::new().await;
    let org = org(&db).await;
    let ids = [enqueue(&db, org).await, enqueue(&db, org).await];
    for filter in [&["--queue", "scans"][..], &["--org", "acme"], &["--kind", "scan", "--state", "ready"], &[]] {
        let listed = command(&db, &[&["job", "list", "--json"], filter].concat()).json();
        let found: Vec<_> = listed.iter().map(|job| job["id"].as_str().unwrap()).collect();
        assert_eq!(found, [&ids[1], &ids[0]], "{filter:?}");
    }
    let older = command(&db, &["job", "list", "--before", &ids[1], "--json"]).json();
    assert_eq!((older.len(), &older[0]["id"]), (1, &json!(ids[0])));
    let shown = command(&db, &["job", "show", &ids[0], "--json"]).json().remove(0);
    assert_eq!((&shown["state"], &shown["payload"]["org_id"]), (&json!("ready"), &json!(org)));
    assert!(command(&db, &["job", "show", &ids[0]]).stdout().contains("scans"));
    let cancelled = command(&db, &["job", "cancel", &ids[0], "--json"]).json().remove(0);
    assert_eq!(cancelled, json!({"id": ids[0], "state": "cancelled"}));
    refused(&db, &["job", "cancel", &ids[0]]);
    let audited: Vec<(String, String)> =
        sqlx::query_as("SELECT action, target_id FROM audit_event WHERE chain_id = $1 ORDER BY seq")
            .bind(org.uuid())
            .fetch_all(&db.pool)
            .await
            .unwrap();
    assert_eq!(audited, [("job.cancelled".to_owned(), ids[0].clone())]);
}

#[tokio::test]
async fn workers_are_listed() {
    let db = TestDb::new().await;
    Lease::register(&db.pool, "here:1", &["scans".to_owned()]).await.unwrap();
    let listed = command(&db, &["queue", "workers", "--json"]).json();
    assert_eq!((listed.len(), &listed[0]["name"], &listed[0]["alive"]), (1, &json!("here:1"), &json!(true)));
}

#[test]
fn every_registered_handlers_queue_is_known_to_those_that_run_none() {
    let known: BTreeSet<_> = jobs::kinds::KNOWN.iter().map(|known| known.queue).collect();
    assert_eq!(known, workers::handlers::queues());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs/src/kinds");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let kinds: BTreeSet<_> = files.filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned())).collect();
    let kinds: BTreeSet<_> = kinds.iter().map(String::as_str).filter(|name| *name != "mod").collect();
    assert_eq!(jobs::kinds::KNOWN.iter().map(|known| known.kind).collect::<BTreeSet<_>>(), kinds);
}
