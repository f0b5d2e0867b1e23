//! An installation that has no AWS identity cannot assume a role, and says so.

use serde_json::json;

use crate::support::{Api, Plumbline, TestDb};

#[tokio::test]
async fn a_role_cannot_be_registered_where_nobody_can_assume_it() {
    let db = TestDb::new().await;
    let folder = tempfile::tempdir().unwrap();
    let running = Plumbline::new(&["up", "--listen", "127.0.0.1:0"])
        .database(&db)
        .data_dir(folder.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .start();
    let org = &Plumbline::new(&["org", "list", "--json"]).database(&db).data_dir(folder.path()).json()[0];
    let create = ["key", "create", "--org", "default", "--name", "test", "--role", "admin", "--json"];
    let key = &Plumbline::new(&create).database(&db).data_dir(folder.path()).json()[0];
    let api = Api::new(&running.url).with_key(key["raw_key"].as_str().unwrap());
    let account = json!({
        "display_name": "production", "provider": "aws", "external_account_id": "123456789012",
        "credential_type": "assume_role", "credential_ref": r#"{"role_arn":"arn:aws:iam::123456789012:role/reader"}"#,
    });
    let path = format!("/api/v2/orgs/{}/accounts", org["id"].as_str().unwrap());
    let answer = api.post(&path, &account).await;
    assert_eq!((answer.status.as_u16(), &answer.body["error_class"]), (502, &json!("no_platform_identity")));
    let message = answer.body["error"].as_str().unwrap();
    assert!(message.contains("AWS_ACCESS_KEY_ID") && message.contains("web identity"), "{message}");
    assert!(!message.contains("IMDS") && !message.contains("forbidden"), "the cause is for the log: {message}");
}
