//! What operators do at the command line: organisations, keys, operators, tokens; and that the API honours what they make.

use crate::support::{Api, Plumbline, TestDb};

fn command(db: &TestDb, args: &[&str]) -> Plumbline {
    Plumbline::new(args).database(db)
}

fn failure(db: &TestDb, args: &[&str]) -> String {
    let output = command(db, args).output();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}");
    message
}

#[tokio::test]
async fn bad_names_are_refused_with_what_is_wrong() {
    let db = TestDb::new().await;
    command(&db, &["org", "create", "acme"]).stdout();
    assert!(failure(&db, &["org", "create", "acme"]).contains("there is an organisation acme already"));
    assert!(failure(&db, &["key", "create", "--org", "nobody", "--name", "ci-key"]).contains("plumbline org list"));
    let usage = command(&db, &["org", "create", "x", "--plan", "gold"]).output();
    assert_eq!(usage.status.code(), Some(2));
}

#[tokio::test]
async fn a_table_is_for_people_and_json_for_scripts() {
    let db = TestDb::new().await;
    let created = command(&db, &["org", "create", "acme", "--plan", "team", "--json"]).json();
    assert_eq!(created[0]["slug"], "acme");
    assert_eq!(created[0]["plan"], "team");
    assert_eq!(command(&db, &["org", "list", "--json"]).json(), created);
    let table = command(&db, &["org", "list"]).stdout();
    assert!(table.starts_with("ID") && table.contains("acme"), "{table}");
    let operator = command(&db, &["operator", "create", "--name", "on-call", "--json"]).json();
    assert!(operator[0]["raw_key"].as_str().unwrap().starts_with("pl_op_"));
}

#[tokio::test]
async fn keys_and_tokens_from_the_command_line_open_the_api() {
    let db = TestDb::new().await;
    let org = command(&db, &["org", "create", "acme", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    let new = ["key", "create", "--org", "acme", "--name", "ci-key", "--scope", "read", "--env", "test", "--json"];
    let key = command(&db, &new).json().remove(0);
    let raw = key["raw_key"].as_str().unwrap();
    assert!(raw.starts_with("pl_test_") && raw.starts_with(key["key_prefix"].as_str().unwrap()), "{key}");
    assert_eq!(key["scopes"], serde_json::json!(["read"]));
    let token = command(&db, &["token", "--org", &org, "--email", "me@example.com", "--role", "owner"]).stdout();

    let artifacts = tempfile::tempdir().unwrap();
    let place = artifacts.path().to_str().unwrap();
    let running = command(&db, &["api", "--listen", "127.0.0.1:0"]).env("PLUMBLINE_ARTIFACTS", place).start();
    let api = Api::new(&running.url);
    let path = format!("/api/v2/orgs/{org}");
    assert_eq!(api.get(&path).await.status, 401);
    assert_eq!(api.with_key(raw).get(&path).await.expect(200)["slug"], "acme");
    assert_eq!(api.with_token(raw).get(&path).await.expect(200)["slug"], "acme");
    assert_eq!(api.with_token(token.trim()).get(&path).await.expect(200)["slug"], "acme");
}

#[tokio::test]
async fn no_tokens_are_made_where_people_sign_in_elsewhere() {
    let db = TestDb::new().await;
    command(&db, &["org", "create", "acme"]).stdout();
    let output = command(&db, &["token", "--org", "acme", "--email", "me@example.com", "--role", "owner"])
        .env("PLUMBLINE_OIDC_ISSUER", "https://sign-in.example.com")
        .output();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("https://sign-in.example.com"), "{message}");
}

#[tokio::test]
async fn what_the_command_line_changes_stands_in_the_audit_chain() {
    let db = TestDb::new().await;
    command(&db, &["org", "create", "acme"]).stdout();
    command(&db, &["key", "create", "--org", "acme", "--name", "ci-key"]).stdout();
    command(&db, &["operator", "create", "--name", "on-call"]).stdout();
    // A role that is given again is no change.
    for role in ["viewer", "viewer", "owner"] {
        command(&db, &["token", "--org", "acme", "--email", "me@example.com", "--role", role]).stdout();
    }
    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_event ORDER BY occurred_at, seq")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    assert_eq!(
        actions,
        ["org.created", "api_key.created", "operator.created", "membership.created", "membership.created"]
    );
    let roles: Vec<String> = sqlx::query_scalar(
        "SELECT details ->> 'role' FROM audit_event WHERE action = 'membership.created' ORDER BY seq",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert_eq!(roles, ["viewer", "owner"]);
}

#[tokio::test]
async fn limits_are_set_listed_removed_and_audited() {
    let db = TestDb::new().await;
    command(&db, &["org", "create", "acme"]).stdout();
    assert!(failure(&db, &["limit", "set", "3", "--org", "acme"]).contains("--per tenant"));
    assert!(failure(&db, &["limit", "remove", "--kind", "scan"]).contains("plumbline limit list"));
    assert_eq!(command(&db, &["limit", "set", "--kind", "scan", "--", "-1"]).output().status.code(), Some(2));
    let set = ["limit", "set", "3", "--kind", "scan", "--per", "tenant", "--org", "acme", "--json"];
    let limit = command(&db, &set).json();
    assert_eq!((&limit[0]["max_running"], &limit[0]["per"]), (&3.into(), &"tenant".into()));
    command(&db, &["limit", "set", "20"]).stdout();
    let listed = command(&db, &["limit", "list", "--json"]).json();
    assert_eq!((listed.len(), &listed[0]["kind"], &listed[1]), (2, &serde_json::Value::Null, &limit[0]));
    command(&db, &["limit", "remove"]).stdout();
    assert_eq!(command(&db, &["limit", "list", "--json"]).json(), limit);
    let audited: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_event WHERE action LIKE 'concurrency%' ORDER BY seq")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    assert_eq!(audited, ["concurrency_limit.set", "concurrency_limit.set", "concurrency_limit.removed"]);
}
