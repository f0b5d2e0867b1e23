//! `GET /orgs/{id}/webhook-endpoints` and `GET …/{endpoint_id}`

use jobs::domain::{Plan, Role, Scope};
use jobs::ids::WebhookEndpointId;
use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_page_is_newest_first_and_shows_no_secret() {
    let case = Case::new().await;
    for number in 1..=3 {
        case.endpoint(json!({"description": format!("number {number}")})).await;
    }
    let page = case.owner.get(&case.path("?limit=1&offset=1")).await;
    assert_answer!(page);
    let reader = case.fixture.key(case.org, Role::Viewer, &[Scope::Read]).await;
    let all = case.fixture.api.with_key(&reader.raw).get(&case.path("")).await.expect(200);
    let told: Vec<_> = all["webhook_endpoints"].as_array().unwrap().iter().map(|one| &one["description"]).collect();
    assert_eq!((json!(told), &all["limit"]), (json!(["number 3", "number 2", "number 1"]), &json!(50)));
}

#[tokio::test]
async fn one_shows_how_it_fares() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"headers": {"X-Team": "a"}})).await;
    let disable = "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410', consecutive_failures = 3,
                   failing_since = now() WHERE id = $1";
    case.sql(disable, &endpoint["id"]).await;
    assert_answer!(case.owner.get(&case.of(&endpoint, "")).await);
}

#[tokio::test]
async fn somebody_elses_is_as_one_that_is_none() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let theirs = case.fixture.org("theirs", Plan::Team).await;
    let stranger = case.fixture.caller(theirs, Role::Admin).await;
    let through = format!("/api/v2/orgs/{theirs}/webhook-endpoints");
    let id = endpoint["id"].as_str().unwrap();
    stranger.get(&format!("{through}/{id}")).await.expect(404);
    stranger.get(&format!("{through}/{id}/deliveries")).await.expect(404);
    stranger.get(&case.of(&endpoint, "")).await.expect(404);
    assert_eq!(stranger.get(&through).await.expect(200)["total"], 0);
    let owner = case.fixture.person(theirs, Role::Owner).await;
    owner.patch(&format!("{through}/{id}"), &json!({"active": false})).await.expect(404);
    owner.delete(&format!("{through}/{id}")).await.expect(404);
    for tail in ["rotate-secret", "test"] {
        owner.post(&format!("{through}/{id}/{tail}"), &json!({})).await.expect(404);
    }
    let since = json!({"since": chrono::Utc::now() - chrono::TimeDelta::hours(1)});
    owner.post(&format!("{through}/{id}/replay"), &since).await.expect(404);
    case.owner.get(&case.path(&format!("/{}", WebhookEndpointId::new()))).await.expect(404);
    case.owner.get(&case.path("/nonsense")).await.expect(404);
    assert_eq!(case.owner.get(&case.of(&endpoint, "")).await.expect(200)["active"], true);
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created"]);
}
