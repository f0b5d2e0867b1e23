//! The OpenAPI document and the page that shows it.

use serde_json::Value;

use super::fixture::Fixture;

/// Operations that need no credential.
const OPEN: [&str; 1] = ["get_health"];

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let committed = include_str!("../../../docs/openapi.json");
    let built = api::openapi::json().unwrap();
    assert!(built == committed, "renew it with: plumbline openapi > docs/openapi.json");
    let fixture = Fixture::new().await;
    let mut served = fixture.api.get("/api/v2/openapi.json").await.expect(200);
    let servers = served.as_object_mut().unwrap().remove("servers").unwrap();
    assert_eq!(servers[0]["url"], format!("http://{}", fixture.address), "it names the address that it is served at");
    assert_eq!(served, serde_json::from_str::<Value>(committed).unwrap());
    assert_eq!(fixture.api.get("/openapi.json").await.header("location"), "/api/v2/openapi.json");
}

#[test]
fn every_operation_says_who_may_call_it_and_what_it_answers() {
    let document: Value = serde_json::from_str(&api::openapi::json().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
            let permission = &operation["x-permission"];
            assert_eq!(permission.is_null(), OPEN.contains(&id), "{id}: x-permission");
            assert_eq!(operation["security"].is_null(), OPEN.contains(&id), "{id}: security");
            assert!(operation["summary"].is_string(), "{id}: summary");
            assert!(operation["tags"][0].is_string(), "{id}: tag");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{id}: a good answer");
            if !OPEN.contains(&id) {
                for status in ["401", "403", "429", "500"] {
                    assert!(responses.contains_key(status), "{id}: {status}");
                }
            }
            for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                assert!(response["content"]["application/problem+json"]["schema"].is_object(), "{id}: {status}");
            }
            if method == "post" && responses.contains_key("201") {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|one| one["name"] == "Idempotency-Key"), "{id}: Idempotency-Key");
            }
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} operations");
}

#[tokio::test]
async fn the_page_is_served_from_here_alone() {
    let fixture = Fixture::new().await;
    let page = fixture.api.get("/api/v2/docs").await;
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    let html = page.expect(200);
    let html = html.as_str().unwrap();
    let script = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let script = fixture.api.get(script).await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert!(script.header("cache-control").contains("immutable"));
    assert!(script.expect(200).as_str().unwrap().contains("@scalar/api-reference"));
    assert_eq!(fixture.api.get("/docs").await.header("location"), "/api/v2/docs");
}
