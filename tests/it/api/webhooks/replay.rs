//! `POST /orgs/{id}/webhook-deliveries/{delivery_id}/replay`

use std::time::Duration;

use jobs::db::webhook_delivery::Then;
use jobs::ids::DeliveryId;
use serde_json::{Value, json};

use super::Case;
use crate::api::snapshot::assert_answer;

async fn replays(case: &Case) -> usize {
    let actions = case.fixture.audited(case.org).await;
    actions.iter().filter(|action| *action == "webhook_delivery.replayed").count()
}

#[tokio::test]
async fn whatever_became_of_it_it_is_sent_again_under_the_same_id() {
    let case = Case::new().await;
    case.endpoint(json!({})).await;
    for (status, then) in [(200, Then::Delivered), (500, Then::Retry(Duration::from_hours(1))), (500, Then::Dead)] {
        let id = case.delivered(status, then).await;
        let before = case.owner.get(&case.delivery(&id, "")).await.expect(200);
        let replayed = case.owner.post(&case.delivery(&id, "/replay"), &json!({})).await;
        if then == Then::Dead {
            assert_answer!(replayed);
        }
        let replayed = replayed.expect(200);
        let told: Vec<&Value> =
            ["status", "attempts", "delivered_at", "webhook_id"].map(|field| &replayed[field]).into();
        assert_eq!(json!(told), json!(["pending", 0, null, before["webhook_id"]]), "{then:?}");
        let claimed = case.claim().await;
        assert_eq!(json!(case.finish(claimed, 200, Then::Delivered).await), id, "it is due at once");
        let after = case.owner.get(&case.delivery(&id, "")).await.expect(200);
        assert_eq!((&after["status"], after["attempt_log"].as_array().unwrap().len()), (&json!("delivered"), 2));
    }
    assert_eq!(replays(&case).await, 3);
}

#[tokio::test]
async fn one_in_flight_is_left_alone_and_nothing_is_written_down() {
    let case = Case::new().await;
    case.endpoint(json!({})).await;
    case.make_event().await;
    let claimed = case.claim().await;
    let payload: Value = serde_json::from_str(&claimed.payload).unwrap();
    assert_answer!(case.owner.post(&case.delivery(&payload["delivery_id"], "/replay"), &json!({})).await);
    assert_eq!(replays(&case).await, 0);
    case.finish(claimed, 200, Then::Delivered).await;
    case.owner.post(&case.delivery(&payload["delivery_id"], "/replay"), &json!({})).await.expect(200);
    assert_eq!(replays(&case).await, 1);
}

#[tokio::test]
async fn nothing_is_sent_again_to_an_endpoint_that_takes_nothing() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let id = case.delivered(500, Then::Dead).await;
    let path = case.delivery(&id, "/replay");
    let disable = "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410' WHERE id = $1";
    case.sql(disable, &endpoint["id"]).await;
    assert_eq!(case.owner.post(&path, &json!({})).await.expect(409)["error_class"], "endpoint_disabled");
    case.owner.delete(&case.of(&endpoint, "")).await.expect(204);
    assert_eq!(case.owner.post(&path, &json!({})).await.expect(409)["error_class"], "endpoint_deleted");
    let unknown = case.delivery(&json!(DeliveryId::new()), "/replay");
    case.owner.post(&unknown, &json!({})).await.expect(404);
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&path, &json!({})).await.body["error_class"], class);
    }
    assert_eq!(replays(&case).await, 0);
}

#[tokio::test]
async fn of_a_paused_one_it_waits() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let id = case.delivered(500, Then::Dead).await;
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": false})).await.expect(200);
    case.owner.post(&case.delivery(&id, "/replay"), &json!({})).await.expect(200);
    assert!(crate::api::queues::claim_of(&case.fixture, "webhooks").await.is_empty());
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": true})).await.expect(200);
    case.claim().await;
}
