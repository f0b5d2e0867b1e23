//! Dead letters as an operator at the command line has them.

use crate::support::{Plumbline, TestDb, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

fn dlq(db: &TestDb, args: &[&str]) -> Plumbline {
    Plumbline::new(&[&["dlq"], args].concat()).database(db)
}

/// Standard error of a command that must end with this status and print nothing.
fn failure(db: &TestDb, args: &[&str], status: i32) -> String {
    let output = dlq(db, args).output();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}");
    message
}

/// Dead jobs of a queue that nobody serves; their ids, newest first.
async fn bury(db: &TestDb, count: i32) -> Vec<String> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "WITH buried AS (
           INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error,
                                 died_at)
           SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'lost', 'nowhere', 50, 3, 3, '{}',
                  'attempts_exhausted', 'boom', 'x', now() - n * interval '1 hour' FROM generate_series(1, $1) n
           RETURNING id, died_at)
         SELECT id FROM buried ORDER BY died_at DESC",
    )
    .bind(count)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    ids.iter().map(Uuid::to_string).collect()
}

#[tokio::test]
async fn wrong_usage_says_what_is_right() {
    let db = TestDb::new().await;
    let id = Uuid::now_v7().to_string();
    for (args, hint) in [
        (&["list", "--since", "yesterday"][..], "3d"),
        (&["list", "--reason", "bad_luck"], "worker_lost"),
        (&["replay"], "required"),
        (&["replay", "--rate", "5"], "required"),
        (&["replay", "--kind", "scan", "--rate", "0"], "0.1 to 1000"),
        (&["replay", "--kind", "scan", "--rate", "-1"], "0.1 to 1000"),
        (&["replay", &id, "--kind", "scan"], "cannot be used with"),
        (&["replay", &id, "--dry-run"], "cannot be used with"),
        (&["discard", &id], "--reason"),
        (&["discard", &id, "--reason", " "], "1 to 1000"),
    ] {
        let message = failure(&db, args, 2);
        assert!(message.contains(hint), "{args:?}: {message}");
    }
    for args in [&["show", &id][..], &["replay", &id], &["discard", &id, "--reason", "x"]] {
        assert!(failure(&db, args, 1).contains(&format!("no job {id} is dead")), "{args:?}");
    }
    assert!(failure(&db, &["replay", "--kind", "scan"], 1).contains("no dead job matches"));
    assert!(failure(&db, &["replay", "--kind", "scan", "--dry-run"], 1).contains("no dead job matches"));
    assert!(failure(&db, &["list", "--org", "nobody"], 1).contains("plumbline org list"));
    for verb in ["show", "cancel"] {
        assert!(failure(&db, &["replays", verb, &id], 1).contains("there is no batch"));
    }
}

#[tokio::test]
async fn one_is_listed_shown_replayed_and_discarded() {
    let db = TestDb::new().await;
    let ids = bury(&db, 3).await;
    let listed = dlq(&db, &["list", "--since", "150m", "--json"]).json();
    assert_eq!(listed.iter().map(|job| job["id"].as_str().unwrap()).collect::<Vec<_>>(), ids[..2]);
    let table = dlq(&db, &["list", "--kind", "lost", "--limit", "1"]).output();
    assert_eq!(String::from_utf8(table.stdout).unwrap().lines().count(), 2);
    assert!(String::from_utf8(table.stderr).unwrap().contains("--limit"), "there are more");
    let shown = dlq(&db, &["show", &ids[0]]).stdout();
    assert!(shown.contains("payload text: {}") && shown.contains("error class: boom"), "{shown}");
    let new = dlq(&db, &["replay", &ids[0], "--json"]).json().remove(0);
    assert_eq!(new["replay_of"], json!(ids[0]));
    let new = new["id"].as_str().unwrap();
    assert!(failure(&db, &["replay", &ids[0]], 1).contains(new));
    assert!(failure(&db, &["discard", &ids[0], "--reason", "x"], 1).contains(new));
    assert!(failure(&db, &["replay", new], 1).contains("not dead"));
    assert_eq!(dlq(&db, &["show", &ids[0], "--json"]).json()[0]["replay_job_id"], json!(new));
    dlq(&db, &["discard", &ids[1], "--reason", "not needed"]).stdout();
    let actions: Vec<(String, String)> =
        sqlx::query_as("SELECT action, actor_id FROM audit_event ORDER BY seq").fetch_all(&db.pool).await.unwrap();
    let by = "command-line".to_owned();
    assert_eq!(actions, [("dead_job.replayed".to_owned(), by.clone()), ("dead_job.discarded".to_owned(), by)]);
}

#[tokio::test]
async fn many_are_counted_first_then_replayed_and_watched_to_the_end() {
    let db = TestDb::new().await;
    bury(&db, 12).await;
    let output = dlq(&db, &["replay", "--kind", "lost", "--dry-run"]).output();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 11, "ten and their heading");
    assert!(String::from_utf8(output.stderr).unwrap().contains("12 match; nothing was replayed"));
    let preview = dlq(&db, &["replay", "--kind", "lost", "--dry-run", "--json"]).json();
    assert_eq!((&preview[0]["count"], &preview[0]["or_more"]), (&json!(12), &json!(false)));
    assert!(dlq(&db, &["replays", "--json"]).json().is_empty());

    let artifacts = tempfile::tempdir().unwrap();
    let place = artifacts.path().to_str().unwrap();
    let _worker =
        Plumbline::new(&["worker", "--queues", "maintenance"]).database(&db).env("PLUMBLINE_ARTIFACTS", place).start();
    let args = ["replay", "--kind", "lost", "--rate", "100", "--note", "mended", "--wait", "--json"];
    let output = dlq(&db, &args).output();
    let (progress, record) = (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    let done: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&done["state"], &done["replayed"], &done["note"]), (&json!("done"), &json!(12), &json!("mended")));
    assert!(progress.ends_with("done: 12 of 12 replayed, 0 skipped\n"), "{progress}");
    let id = done["id"].as_str().unwrap();
    assert!(failure(&db, &["replays", "cancel", id], 1).contains("it is done"));
    assert_eq!(dlq(&db, &["replays", "show", id, "--json"]).json()[0], done);
    assert_eq!(dlq(&db, &["replays", "--limit", "1", "--json"]).json(), [done]);
}

#[tokio::test]
async fn a_batch_is_cancelled_from_the_command_line() {
    let db = TestDb::new().await;
    bury(&db, 3).await;
    let batch = dlq(&db, &["replay", "--queue", "nowhere", "--json"]).json().remove(0);
    assert_eq!(batch["state"], "waiting");
    let cancelled = dlq(&db, &["replays", "cancel", batch["id"].as_str().unwrap(), "--json"]).json();
    assert_eq!(cancelled[0]["state"], "cancelled");
    eventually("its job is gone", async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM job").fetch_one(&db.pool).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
}
