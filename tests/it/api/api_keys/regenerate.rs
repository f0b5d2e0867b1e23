//! `POST /orgs/{id}/api-keys/{key_id}/regenerate`

use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn the_former_secret_is_dead_at_once() {
    let case = Case::new().await;
    assert_eq!(case.works().await, "200");
    let renewed = case.owner.post(&case.path("/regenerate"), &json!({})).await;
    assert_answer!(renewed);
    assert_eq!(renewed.body["id"], case.key.id.to_string());
    assert_eq!(case.works().await, "key_unknown");
    case.fixture.api.with_key(renewed.body["raw_key"].as_str().unwrap()).get("/api/v2/me").await.expect(200);
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.regenerated"]);
}

#[tokio::test]
async fn ended_keys_and_other_callers_are_refused() {
    let case = Case::new().await;
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path("/regenerate"), &json!({})).await.body["error_class"], class);
    }
    case.owner.delete(&case.path("")).await.expect(204);
    assert_eq!(
        case.owner.post(&case.path("/regenerate"), &json!({})).await.expect(409)["error_class"],
        "key_not_active"
    );
}
