//! `POST /orgs/{id}/api-keys`

use futures::future::join_all;
use jobs::domain::{Plan, Role, Scope};
use serde_json::json;

use super::Case;
use crate::api::fixture::Fixture;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn the_secret_is_shown_once_and_works() {
    let case = Case::new().await;
    let path = format!("/api/v2/orgs/{}/api-keys", case.org);
    let body = json!({
        "name": "ci-nightly", "description": "scans at night", "scopes": ["write", "read"], "environment": "test", "role": "member",
        "expires_in": "24h",
    });
    let created = case.owner.post(&path, &body).await;
    assert_answer!(created);
    let raw = created.body["raw_key"].as_str().unwrap();
    assert!(raw.starts_with("pl_test_") && raw.len() >= 32);
    assert_eq!(created.body["key_prefix"], raw[..16]);
    case.fixture.api.with_key(raw).get("/api/v2/me").await.expect(200);
    let shown = case.owner.get(created.header("location")).await.expect(200);
    assert_eq!(shown["raw_key"], "");
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.created"]);
    let told: String = sqlx::query_scalar("SELECT string_agg(details::text, '') FROM audit_event")
        .fetch_one(&case.fixture.db.pool)
        .await
        .unwrap();
    assert!(!told.contains(raw), "the audit chain has no secret");
}

#[tokio::test]
async fn without_more_than_a_name_it_may_look() {
    let case = Case::new().await;
    let path = format!("/api/v2/orgs/{}/api-keys", case.org);
    let body = case.owner.post(&path, &json!({"name": "looks"})).await.expect(201);
    assert_eq!((&body["role"], &body["scopes"]), (&json!("viewer"), &json!(["read"])));
    assert_eq!((&body["environment"], &body["expires_at"]), (&json!("live"), &json!(null)));
}

#[tokio::test]
async fn a_key_makes_no_key_that_can_do_more_than_itself() {
    let case = Case::new().await;
    let path = format!("/api/v2/orgs/{}/api-keys", case.org);
    let admin = case.fixture.caller(case.org, Role::Admin).await;
    admin.post(&path, &json!({"name": "equal", "role": "admin", "scopes": ["write"]})).await.expect(201);
    assert_answer!(admin.post(&path, &json!({"name": "more", "role": "owner"})).await);
    let owner_by_person = case.owner.post(&path, &json!({"name": "more", "role": "owner"})).await;
    assert_eq!(owner_by_person.expect(422)["field"], "role");
    let member = case.fixture.caller(case.org, Role::Member).await;
    assert_eq!(member.post(&path, &json!({"name": "any"})).await.expect(403)["error_class"], "insufficient_role");
}

#[tokio::test]
async fn what_is_wrong_names_its_field() {
    let case = Case::new().await;
    let path = format!("/api/v2/orgs/{}/api-keys", case.org);
    for (body, status, field) in [
        (json!({"name": "ab"}), 422, "name"),
        (json!({"name": "x".repeat(129)}), 422, "name"),
        (json!({"name": "nul\u{0}nul"}), 422, ""),
        (json!({"name": 7}), 400, "name"),
        (json!({"name": "abc", "scopes": ["admin"]}), 400, "scopes[0]"),
        (json!({"name": "abc", "expires_in": "1y"}), 400, "expires_in"),
        (json!({"name": "abc", "expires_at": "tomorrow"}), 400, "expires_at"),
        (json!({"name": "abc", "colour": "red"}), 400, "colour"),
    ] {
        let answer = case.owner.post(&path, &body).await;
        assert_eq!(answer.body["field"].as_str().unwrap_or_default(), field, "{body}: {}", answer.body);
        answer.expect(status);
    }
    assert_answer!(case.owner.post(&path, &json!({"name": "abc", "scopes": ["admin"]})).await);
}

#[tokio::test]
async fn the_last_place_of_a_plan_is_given_once() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let owner = fixture.person(org, Role::Owner).await;
    fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    let body = json!({"name": "the last"});
    let answers = join_all((0..6).map(|_| owner.post(&path, &body))).await;
    let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((good.len(), refused.len()), (1, 5));
    assert_answer!(refused[0]);
}
