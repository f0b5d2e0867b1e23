//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/test`

use reqwest::Method;
use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_test_is_a_delivery_to_this_endpoint_alone() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    case.endpoint(json!({"events": ["test.*"]})).await;
    let tested = case.owner.post(&case.of(&endpoint, "/test"), &json!({})).await;
    assert_answer!(tested);
    let delivery = case.owner.get(tested.header("location")).await;
    assert_answer!(delivery);
    assert_eq!(delivery.body["id"], tested.body["delivery_id"]);
    assert_eq!(case.count("SELECT count(*) FROM webhook_delivery WHERE org_id = $1").await, 1);
    assert_eq!(case.count("SELECT count(*) FROM job WHERE tenant = $1 AND kind = 'deliver_webhook'").await, 1);
    assert_eq!(case.fixture.audited(case.org).await.last().unwrap(), "webhook_endpoint.tested");
}

#[tokio::test]
async fn a_paused_one_is_not_tested_but_a_disabled_one_is() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": false})).await.expect(200);
    assert_answer!(case.owner.post(&case.of(&endpoint, "/test"), &json!({})).await);
    assert_eq!(case.count("SELECT count(*) FROM webhook_delivery WHERE org_id = $1").await, 0);

    let disabled = case.endpoint(json!({})).await;
    let disable = "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410' WHERE id = $1";
    case.sql(disable, &disabled["id"]).await;
    case.owner.post(&case.of(&disabled, "/test"), &json!({})).await.expect(202);
}

#[tokio::test]
async fn a_repeated_request_tests_once_and_others_may_not() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/test");
    let request = || case.owner.request(Method::POST, &path).header("Idempotency-Key", "once");
    let first = case.owner.send(request()).await.expect(202);
    assert_eq!(case.owner.send(request()).await.expect(202), first);
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&path, &json!({})).await.body["error_class"], class);
    }
    assert_eq!(case.count("SELECT count(*) FROM webhook_delivery WHERE org_id = $1").await, 1);
}
