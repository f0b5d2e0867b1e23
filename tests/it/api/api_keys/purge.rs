//! `POST /orgs/{id}/api-keys/{key_id}/purge`

use serde_json::json;

use super::Case;

#[tokio::test]
async fn a_purged_key_is_gone_and_its_history_stays() {
    let case = Case::new().await;
    case.owner.delete(&case.path("")).await.expect(204);
    case.owner.post(&case.path("/purge"), &json!({})).await.expect(204);
    case.owner.get(&case.path("")).await.expect(404);
    assert_eq!(case.works().await, "key_unknown");
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.revoked", "api_key.purged"]);
}

#[tokio::test]
async fn a_key_that_works_is_not_purged() {
    let case = Case::new().await;
    assert_eq!(case.owner.post(&case.path("/purge"), &json!({})).await.expect(409)["error_class"], "key_not_revoked");
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path("/purge"), &json!({})).await.body["error_class"], class);
    }
    assert_eq!(case.works().await, "200");
}
