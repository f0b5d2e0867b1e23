//! `GET /orgs/{id}/webhook-deliveries/{delivery_id}`

use std::time::Duration;

use jobs::db::webhook_delivery::Then;
use jobs::domain::{Plan, Role};
use jobs::ids::DeliveryId;
use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn it_shows_every_attempt_newest_first() {
    let case = Case::new().await;
    case.endpoint(json!({})).await;
    let id = case.delivered(500, Then::Retry(Duration::ZERO)).await;
    let claimed = case.claim().await;
    case.finish(claimed, 200, Then::Delivered).await;
    let mut shown = case.owner.get(&case.delivery(&id, "")).await;
    let log = shown.body["attempt_log"].as_array().unwrap();
    assert_eq!(json!(log.iter().map(|attempt| &attempt["number"]).collect::<Vec<_>>()), json!([2, 1]));
    let webhook_id = format!("evt_{}", shown.body["event_id"].as_str().unwrap());
    assert_eq!(shown.body["webhook_id"], webhook_id);
    shown.body["webhook_id"] = json!("evt_[id]");
    assert_answer!(shown);
}

#[tokio::test]
async fn a_hundred_attempts_are_shown() {
    let case = Case::new().await;
    case.endpoint(json!({})).await;
    let id = case.delivered(500, Then::Retry(Duration::from_hours(1))).await;
    let many = "INSERT INTO webhook_attempt (delivery_id, number, org_id, trigger)
                SELECT d.id, n, d.org_id, 'retry' FROM webhook_delivery d, generate_series(2, 120) n WHERE d.id = $1";
    case.sql(many, &id).await;
    let shown = case.owner.get(&case.delivery(&id, "")).await.expect(200);
    let log = shown["attempt_log"].as_array().unwrap();
    assert_eq!((log.len(), &log[0]["number"], &log[99]["number"]), (100, &json!(120), &json!(21)));
}

#[tokio::test]
async fn somebody_elses_is_as_one_that_is_none() {
    let case = Case::new().await;
    case.endpoint(json!({})).await;
    let id = case.delivered(200, Then::Delivered).await;
    let theirs = case.fixture.org("theirs", Plan::Team).await;
    let stranger = case.fixture.caller(theirs, Role::Admin).await;
    let through = format!("/api/v2/orgs/{theirs}/webhook-deliveries/{}", id.as_str().unwrap());
    stranger.get(&through).await.expect(404);
    // Somebody of both organisations, through the wrong one.
    let both = case.fixture.person(theirs, Role::Owner).await;
    both.get(&through).await.expect(404);
    both.post(&format!("{through}/replay"), &json!({})).await.expect(404);
    stranger.get(&case.delivery(&id, "")).await.expect(404);
    case.owner.get(&case.delivery(&json!(DeliveryId::new()), "")).await.expect(404);
    case.owner.get(&case.delivery(&json!("nonsense"), "")).await.expect(404);
}
