//! API keys as credentials: each way of not holding is told by its own class.

use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{Environment, Plan, Role, Scope};
use reqwest::Method;
use serde_json::json;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn a_key_works_in_its_own_header_and_as_a_bearer_token() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let key = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    let path = format!("/api/v2/orgs/{org}");
    fixture.api.with_key(&key.raw).get(&path).await.expect(200);
    fixture.api.with_token(&key.raw).get(&path).await.expect(200);
    let lower = fixture.api.request(Method::GET, &path).header("authorization", format!("bearer {}", key.raw));
    fixture.api.send(lower).await.expect(200);
}

#[tokio::test]
async fn a_key_that_does_not_hold_is_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let path = format!("/api/v2/orgs/{org}");
    let ended = [
        ("key_revoked", "UPDATE api_key SET revoked_at = now() WHERE id = $1"),
        ("key_expired", "UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1"),
        ("key_grace_ended", "UPDATE api_key SET grace_ends_at = now() - interval '1 second' WHERE id = $1"),
        ("key_unknown", "DELETE FROM api_key WHERE id = $1"),
    ];
    for (class, statement) in ended {
        let key = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
        let caller = fixture.api.with_key(&key.raw);
        caller.get(&path).await.expect(200);
        fixture.sql(statement, key.id).await;
        let refused = caller.get(&path).await;
        assert_eq!(refused.body["error_class"], class);
        assert!(refused.header("www-authenticate").contains(class), "{class}");
        assert!(!refused.body.to_string().contains(&key.raw), "the key is not repeated");
        refused.expect(401);
    }
    let mut mistyped = api_key::generate(KeyKind::Org(Environment::Live));
    mistyped.replace_range(10..11, if &mistyped[10..11] == "x" { "y" } else { "x" });
    for malformed in [mistyped.as_str(), "pl_live_short", "pl_prod_0123456789012345678901234567", "hunter2"] {
        let refused = fixture.api.with_key(malformed).get(&path).await;
        assert_eq!(refused.body["error_class"], "credential_malformed", "{malformed}");
        refused.expect(401);
    }
    assert_answer!(fixture.api.with_key("hunter2").get(&path).await);
}

#[tokio::test]
async fn a_key_in_its_grace_still_works() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let key = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    fixture.sql("UPDATE api_key SET grace_ends_at = now() + interval '1 minute' WHERE id = $1", key.id).await;
    fixture.api.with_key(&key.raw).get(&format!("/api/v2/orgs/{org}")).await.expect(200);
}

#[tokio::test]
async fn two_credentials_at_once_are_one_too_many() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let key = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    let both = fixture.api.with_key(&key.raw).request(Method::GET, "/api/v2/me").bearer_auth(&key.raw);
    assert_answer!(fixture.api.send(both).await);
}

#[tokio::test]
async fn scopes_and_roles_are_looked_at_apart() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    let new = json!({"name": "another", "role": "viewer"});
    let reader = fixture.api.with_key(&fixture.key(org, Role::Admin, &[Scope::Read]).await.raw);
    assert_answer!(reader.post(&path, &new).await);
    let viewer = fixture.caller(org, Role::Viewer).await;
    assert_answer!(viewer.post(&path, &new).await);
    let writer = fixture.api.with_key(&fixture.key(org, Role::Admin, &[Scope::Write]).await.raw);
    writer.get(&path).await.expect(200);
    writer.post(&path, &new).await.expect(201);
}

#[tokio::test]
async fn an_operators_key_is_not_for_organisations() {
    let fixture = Fixture::new().await;
    let raw = api_key::generate(KeyKind::Operator);
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    db::operator_key::insert(&mut conn, "root", &raw).await.unwrap();
    assert_answer!(fixture.api.with_key(&raw).get("/api/v2/me").await);
}

#[tokio::test]
async fn the_last_use_is_noted() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    caller.get(&path).await.expect(200);
    let first = caller.get(&path).await.expect(200)["api_keys"][0]["last_used_at"].clone();
    assert!(first.is_string());
    let again = caller.get(&path).await.expect(200)["api_keys"][0]["last_used_at"].clone();
    assert_eq!(first, again, "not more than once a minute");
}

#[tokio::test]
async fn another_organisation_in_the_header_is_refused() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    let naming = |id: String| caller.request(Method::GET, &format!("/api/v2/orgs/{org}")).header("X-Org-ID", id);
    caller.send(naming(org.to_string())).await.expect(200);
    let other = caller.send(naming(jobs::ids::OrgId::new().to_string())).await;
    assert_eq!(other.expect(400)["field"], "X-Org-ID");
}
