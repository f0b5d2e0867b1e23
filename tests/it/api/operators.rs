//! Operators' keys open `/api/v2/admin`, and nothing and nobody else does.

use jobs::crypto::api_key::{self, KeyKind};
use jobs::domain::{Plan, Role};
use jobs::queue::Lease;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

const WORKERS: &str = "/api/v2/admin/workers";

#[tokio::test]
async fn without_an_operators_key_nothing_opens() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    assert_answer!(fixture.api.get(WORKERS).await);
    let unknown = fixture.api.with_token(&api_key::generate(KeyKind::Operator)).get(WORKERS).await;
    assert_eq!(unknown.expect(401)["error_class"], "key_unknown");
    let malformed = fixture.api.with_token("pl_op_short").get(WORKERS).await;
    assert_eq!(malformed.expect(401)["error_class"], "credential_malformed");
    assert_answer!(fixture.caller(org, Role::Owner).await.get(WORKERS).await);
    let person = fixture.person(org, Role::Owner).await.get(WORKERS).await;
    assert_eq!(person.expect(403)["error_class"], "operator_key_required");
    let made_up = fixture.api.with_key("hunter2").get(WORKERS).await;
    assert_eq!(made_up.expect(401)["error_class"], "credential_malformed");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    operator.get(WORKERS).await.expect(200);
    sqlx::query("UPDATE operator_key SET revoked_at = now()").execute(&fixture.db.pool).await.unwrap();
    assert_eq!(operator.get(WORKERS).await.expect(401)["error_class"], "key_unknown");
}

#[tokio::test]
async fn an_operators_key_opens_admin_in_either_header_and_is_rate_limited() {
    let fixture = Fixture::new().await;
    let (raw, operator) = fixture.operator_key().await;
    let answer = operator.get(WORKERS).await;
    assert!(!answer.header("ratelimit-limit").is_empty());
    answer.expect(200);
    fixture.api.with_key(&raw).get(WORKERS).await.expect(200);
    let used = "SELECT count(*) FROM operator_key WHERE last_used_at > now() - interval '1 minute'";
    assert_eq!(sqlx::query_scalar::<_, i64>(used).fetch_one(&fixture.db.pool).await.unwrap(), 1);
    let refused = operator.get("/api/v2/me").await.expect(403);
    assert_eq!(refused["error_class"], "operator_key_not_allowed");
}

#[tokio::test]
async fn workers_are_listed_in_parts() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    for name in ["c:3", "a:1", "b:2"] {
        Lease::register(&fixture.db.pool, name, &["scans".to_owned()]).await.unwrap();
    }
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 hour' WHERE name = 'a:1'")
        .execute(&fixture.db.pool)
        .await
        .unwrap();
    let first = operator.get(&format!("{WORKERS}?limit=2")).await.expect(200);
    let names = |answer: &serde_json::Value| -> Vec<(String, bool)> {
        let workers = answer["workers"].as_array().unwrap();
        workers.iter().map(|w| (w["name"].as_str().unwrap().to_owned(), w["alive"].as_bool().unwrap())).collect()
    };
    assert_eq!(names(&first), [("a:1".to_owned(), false), ("b:2".to_owned(), true)]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = operator.get(&format!("{WORKERS}?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(names(&second), [("c:3".to_owned(), true)]);
    assert!(second["next_cursor"].is_null());
    for bad in ["cursor=nonsense", "cursor=", "limit=0", "limit=201", "offset=1"] {
        let refused = operator.get(&format!("{WORKERS}?{bad}")).await.expect(400);
        assert_eq!(refused["field"], bad.split('=').next().unwrap(), "{bad}");
    }
}
