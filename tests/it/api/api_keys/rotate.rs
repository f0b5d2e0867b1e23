//! `POST /orgs/{id}/api-keys/{key_id}/rotate`

use jobs::ids::ApiKeyId;
use reqwest::Method;
use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn both_secrets_work_for_a_day() {
    let case = Case::new().await;
    let rotated = case.owner.post(&case.path("/rotate"), &json!({})).await;
    assert_answer!(rotated);
    let successor = case.fixture.api.with_key(rotated.body["raw_key"].as_str().unwrap());
    successor.get("/api/v2/me").await.expect(200);
    assert_eq!(case.works().await, "200");
    let shown = case.owner.get(rotated.header("location")).await.expect(200);
    assert_eq!((&shown["name"], &shown["role"]), (&json!("fixture"), &json!("member")));
    assert_eq!(shown["rotated_from"], case.key.id.to_string());
    case.fixture.sql("UPDATE api_key SET grace_ends_at = now() WHERE id = $1", case.key.id).await;
    assert_eq!(case.works().await, "key_grace_ended");
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.rotated"]);
}

#[tokio::test]
async fn a_second_rotation_has_to_wait_but_a_repeated_request_has_not() {
    let case = Case::new().await;
    let request = || case.owner.request(Method::POST, &case.path("/rotate")).header("Idempotency-Key", "r-1");
    let first = case.owner.send(request()).await;
    assert_eq!(case.owner.send(request()).await.body, first.body);
    assert_answer!(case.owner.post(&case.path("/rotate"), &json!({})).await);
    // The successor can be rotated in turn.
    let next = first.body["id"].as_str().unwrap();
    case.owner.post(&format!("/api/v2/orgs/{}/api-keys/{next}/rotate", case.org), &json!({})).await.expect(201);
}

#[tokio::test]
async fn a_time_limit_outlives_no_rotation() {
    let case = Case::new().await;
    case.fixture.sql("UPDATE api_key SET expires_at = now() + interval '1 hour' WHERE id = $1", case.key.id).await;
    let rotated = case.owner.post(&case.path("/rotate"), &json!({})).await;
    let old = case.owner.get(&case.path("")).await.expect(200);
    let new = case.owner.get(rotated.header("location")).await.expect(200);
    assert_eq!(old["grace_ends_at"], old["expires_at"]);
    assert_eq!(new["expires_at"], old["expires_at"]);
}

#[tokio::test]
async fn ended_keys_and_other_callers_are_refused() {
    let case = Case::new().await;
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path("/rotate"), &json!({})).await.body["error_class"], class);
    }
    case.fixture.sql("UPDATE api_key SET expires_at = now() WHERE id = $1", case.key.id).await;
    assert_eq!(case.owner.post(&case.path("/rotate"), &json!({})).await.expect(409)["error_class"], "key_expired");
    case.fixture.sql("UPDATE api_key SET revoked_at = now() WHERE id = $1", case.key.id).await;
    case.owner.post(&case.path("/rotate"), &json!({})).await.expect(404);
    let unknown = format!("/api/v2/orgs/{}/api-keys/{}/rotate", case.org, ApiKeyId::new());
    case.owner.post(&unknown, &json!({})).await.expect(404);
    assert!(case.fixture.audited(case.org).await.is_empty());
}
