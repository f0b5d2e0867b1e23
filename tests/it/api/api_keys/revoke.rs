//! `DELETE /orgs/{id}/api-keys/{key_id}` and `POST …/revoke`

use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let case = Case::new().await;
    assert_eq!(case.works().await, "200");
    assert_answer!(case.owner.delete(&case.path("")).await);
    assert_eq!(case.works().await, "key_revoked");
    case.owner.delete(&case.path("")).await.expect(404);
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.revoked"]);
}

#[tokio::test]
async fn the_other_way_to_the_same_state_shows_it() {
    let case = Case::new().await;
    assert_answer!(case.owner.post(&case.path("/revoke"), &json!({})).await);
    assert_eq!(case.works().await, "key_revoked");
}

#[tokio::test]
async fn a_stolen_key_cannot_lock_others_out() {
    let case = Case::new().await;
    for (caller, class) in case.refused().await {
        assert_eq!(caller.delete(&case.path("")).await.body["error_class"], class);
        assert_eq!(caller.post(&case.path("/revoke"), &json!({})).await.body["error_class"], class);
    }
    assert_eq!(case.works().await, "200");
    assert!(case.fixture.audited(case.org).await.is_empty());
}
