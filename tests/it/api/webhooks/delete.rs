//! `DELETE /orgs/{id}/webhook-endpoints/{endpoint_id}`

use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_deleted_one_is_gone_and_its_deliveries_stay_readable() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    case.make_event().await;
    // Paused ones, too, shall have their jobs come up, to be cancelled.
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": false})).await.expect(200);
    assert_answer!(case.owner.delete(&case.of(&endpoint, "")).await);
    assert_eq!(case.limit(&endpoint).await, (10, None));

    case.owner.get(&case.of(&endpoint, "")).await.expect(404);
    case.owner.delete(&case.of(&endpoint, "")).await.expect(404);
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": true})).await.expect(404);
    case.owner.post(&case.of(&endpoint, "/test"), &json!({})).await.expect(404);
    case.owner.post(&case.of(&endpoint, "/rotate-secret"), &json!({})).await.expect(404);
    assert_eq!(case.owner.get(&case.path("")).await.expect(200)["total"], 0);
    // No event is for it any more.
    case.make_event().await;
    assert_answer!(case.owner.get(&case.of(&endpoint, "/deliveries")).await);
    for (status, total) in [("pending", 0), ("failed", 1)] {
        let listed = case.owner.get(&case.of(&endpoint, &format!("/deliveries?status={status}"))).await.expect(200);
        assert_eq!(listed["total"], total, "{status}");
    }
    let actions = case.fixture.audited(case.org).await;
    assert_eq!(actions.iter().filter(|action| *action == "webhook_endpoint.deleted").count(), 1);
}

#[tokio::test]
async fn it_takes_a_person_who_is_an_admin() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    for (caller, class) in case.refused().await {
        assert_eq!(caller.delete(&case.of(&endpoint, "")).await.body["error_class"], class);
    }
    case.owner.get(&case.of(&endpoint, "")).await.expect(200);
}
