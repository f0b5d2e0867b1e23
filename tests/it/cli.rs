//! The command line as scripts rely on it: exit statuses, what is on stdout, the settings' documentation.

use crate::support::{Plumbline, TestDb};
use plumbline::{cli, config};
use std::path::Path;

#[test]
fn wrong_usage_is_exit_status_2() {
    for args in [&[][..], &["no-such-command"], &["migrate", "--no-such-flag"], &["up", "--listen", "nowhere"]] {
        let output = Plumbline::new(args).output();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn values_that_cannot_be_are_wrong_usage_and_say_what_can_be() {
    for (args, hint) in [
        (&["worker", "--queues", "scans,nope"][..], "awaited, drift, maintenance, scans, webhooks"),
        (&["key", "create", "--org", "acme", "--name", "ab"], "3 to 128"),
        (&["token", "--org", "acme", "--email", "nope", "--role", "owner"], "email"),
        (&["org", "create", "No Such Name"], "lower-case"),
        (&["api", "--trusted-proxies", "10.0.0.0/99"], "CIDR"),
        (&["api", "--oidc-email-domains", "@example.com"], "bare"),
    ] {
        let output = Plumbline::new(args).env("DATABASE_URL", "postgres://127.0.0.1:9/none").output();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(output.stdout.is_empty() && message.contains(hint), "{args:?}: {message}");
    }
}

#[tokio::test]
async fn migrate_check_tells_what_is_pending_and_migrate_applies_it() {
    let db = TestDb::unmigrated().await;
    let check = || Plumbline::new(&["migrate", "--check", "--json"]).database(&db).output();
    let before = check();
    assert_eq!(before.status.code(), Some(1));
    let applied = Plumbline::new(&["migrate", "--json"]).database(&db).json();
    assert_eq!(applied[0]["version"], 1);
    assert_eq!(String::from_utf8(before.stdout).unwrap().lines().count(), applied.len());
    let after = check();
    assert_eq!((after.status.code(), after.stdout.len()), (Some(0), 0));
}

#[test]
fn an_unreachable_database_is_told_in_one_line_without_its_password() {
    let commands = [&["migrate"][..], &["up"], &["worker"], &["org", "list"], &["doctor"]];
    for args in commands {
        let folder = tempfile::tempdir().unwrap();
        let command = Plumbline::new(args).data_dir(&folder.path().join("data"));
        let output = command.env("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:9/none").output();
        let message = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        assert!(message.contains("127.0.0.1:9: Connection refused"), "{args:?}: {message}");
        assert!(!message.contains("hunter2"), "{args:?}: {message}");
        let is_report = args == ["doctor"];
        assert!(is_report || (message.starts_with("error: ") && message.lines().count() == 1), "{args:?}: {message}");
    }
}

#[tokio::test]
async fn doctor_finds_a_healthy_installation_healthy_and_says_what_a_sick_one_needs() {
    let db = TestDb::new().await;
    let folder = tempfile::tempdir().unwrap();
    let healthy = Plumbline::new(&["doctor", "--json"]).database(&db).data_dir(&folder.path().join("new")).json();
    assert!(healthy.iter().all(|finding| finding["status"] == "ok"), "{healthy:?}");
    let db = TestDb::unmigrated().await;
    let output = Plumbline::new(&["doctor"]).database(&db).env("PLUMBLINE_MASTER_KEY", "c2hvcnQ=").output();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("plumbline migrate") && text.contains("32"), "{text}");
}

#[tokio::test]
async fn doctor_misses_an_aws_identity_only_where_a_role_is_assumed() {
    let db = TestDb::new().await;
    let doctor = || {
        Plumbline::new(&["doctor", "--json"])
            .database(&db)
            .data_dir(Path::new("/nonexistent"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
            .env("AWS_CONFIG_FILE", "/nonexistent")
    };
    assert!(doctor().json().iter().all(|finding| finding["check"] != "aws identity"));
    sqlx::raw_sql(
        "INSERT INTO org (id, slug, display_name, plan) VALUES (gen_random_uuid(), 'acme', 'Acme', 'team');
         INSERT INTO cloud_account (id, org_id, provider, external_account_id, display_name, credential_type, credential,
                                    default_region)
         SELECT gen_random_uuid(), id, 'aws', '123456789012', 'a', 'assume_role', '', 'us-east-1' FROM org",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let output = doctor().output();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("aws identity") && text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    let found = doctor().env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b").json();
    assert!(found.iter().any(|finding| finding["check"] == "aws identity" && finding["status"] == "ok"), "{found:?}");
}

/// Compares two files offline; exit status and stderr.
fn drift(state: &Path, live: &Path) -> (Option<i32>, String) {
    let args = ["drift", "--state", state.to_str().unwrap(), "--live", live.to_str().unwrap()];
    let output = Plumbline::new(&args).output();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn drift_against_nothing_warns_that_the_inventory_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (state, live) = (folder.path().join("terraform.tfstate"), folder.path().join("inventory.jsonl"));
    let vpc =
        r#"{"mode":"managed","type":"aws_vpc","name":"v","provider":"p","instances":[{"attributes":{"id":"vpc-1"}}]}"#;
    std::fs::write(&state, format!(r#"{{"version":4,"resources":[{vpc}]}}"#)).unwrap();
    std::fs::write(&live, "\n").unwrap();
    let (status, stderr) = drift(&state, &live);
    assert!(status == Some(3) && stderr.contains("inventory is empty"), "{status:?} {stderr}");
    std::fs::write(&live, r#"{"type":"aws_vpc","id":"vpc-1","region":"us-east-1"}"#).unwrap();
    assert_eq!(drift(&state, &live), (Some(0), String::new()));
}

#[test]
fn what_drift_cannot_read_is_told_once_and_in_the_members_that_people_write() {
    let folder = tempfile::tempdir().unwrap();
    let (state, live) = (folder.path().join("terraform.tfstate"), folder.path().join("inventory.jsonl"));
    std::fs::write(&state, r#"{"version":4,"resources":[]}"#).unwrap();
    for (member, line) in [
        ("`id`", r#"{"type":"aws_vpc","region":"us-east-1"}"#),
        ("`type`", r#"{"provider_resource_id":"vpc-1","region":"us-east-1"}"#),
    ] {
        std::fs::write(&live, line).unwrap();
        let (status, stderr) = drift(&state, &live);
        assert!(status == Some(1) && stderr.contains(&format!("missing field {member}")), "{stderr}");
    }
    std::fs::write(&live, "").unwrap();
    for (state, live) in [(folder.path(), live.as_path()), (state.as_path(), folder.path())] {
        let (status, stderr) = drift(state, live);
        assert_eq!((status, stderr.matches("Is a directory").count()), (Some(1), 1), "{stderr}");
    }
}

#[test]
fn the_documented_settings_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- settings: made from the code -->\n", "<!-- end of settings -->\n");
    let (head, rest) = document.split_once(begin).expect("the table's beginning");
    let (table, tail) = rest.split_once(end).expect("the table's end");
    let expected = config::table(&cli::definition());
    if table != expected {
        std::fs::write(&path, [head, begin, &expected, end, tail].concat()).unwrap();
        panic!("docs/settings.md was out of date and has been written anew: look at it and commit it");
    }
}
