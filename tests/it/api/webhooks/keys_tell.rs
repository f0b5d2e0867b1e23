//! What API keys tell those who asked for it.

use jobs::db::event;
use serde_json::{Value, json};

use super::Case;

/// Types and data of what happened, oldest first.
async fn told(case: &Case) -> Vec<(String, Value)> {
    let mut conn = case.fixture.db.pool.acquire().await.unwrap();
    let mut events = event::newest(&mut conn, case.org, 100).await.unwrap();
    events.reverse();
    events.into_iter().map(|event| (event.event_type, event.data)).collect()
}

#[tokio::test]
async fn a_key_that_comes_or_goes_is_told_with_who_did_it() {
    let case = Case::new().await;
    case.endpoint(json!({"events": ["api_key.revoked"]})).await;
    let keys = format!("/api/v2/orgs/{}/api-keys", case.org);
    let created = case.make_event().await;
    let one = format!("{keys}/{}", created["id"].as_str().unwrap());
    let rotated = case.owner.post(&format!("{one}/rotate"), &json!({})).await.expect(201);
    case.owner.post(&format!("{one}/revoke"), &json!({})).await.expect(200);
    let next = format!("{keys}/{}", rotated["id"].as_str().unwrap());
    case.owner.post(&format!("{next}/regenerate"), &json!({})).await.expect(200);
    case.owner.delete(&next).await.expect(204);

    let told = told(&case).await;
    let types: Vec<(&str, &Value)> = told.iter().map(|(name, data)| (name.as_str(), &data["api_key_id"])).collect();
    assert_eq!(
        types,
        [
            ("api_key.created", &created["id"]),
            ("api_key.created", &rotated["id"]),
            ("api_key.revoked", &created["id"]),
            ("api_key.revoked", &rotated["id"]),
        ]
    );
    let first = &told[0].1;
    assert_eq!((&first["name"], &first["actor"]), (&json!("eventful"), &json!("owner@example.com")));
    let told = json!(told.iter().map(|(_, data)| data).collect::<Vec<_>>()).to_string();
    assert!(!told.contains(created["raw_key"].as_str().unwrap()), "a secret is told");
    // Those who asked are told, and of no more than they asked for.
    assert_eq!(case.count("SELECT count(*) FROM webhook_delivery WHERE org_id = $1").await, 2);
}

#[tokio::test]
async fn a_key_that_does_not_come_about_is_not_told() {
    let case = Case::new().await;
    let keys = format!("/api/v2/orgs/{}/api-keys", case.org);
    case.owner.post(&keys, &json!({"name": "x"})).await.expect(422);
    case.owner.delete(&format!("{keys}/{}", jobs::ids::ApiKeyId::new())).await.expect(404);
    assert!(told(&case).await.is_empty());
}
