//! `GET /orgs/{id}/webhook-endpoints/{endpoint_id}/deliveries`

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use jobs::db::webhook_delivery::Then;
use serde_json::{Value, json};

use super::Case;
use crate::api::snapshot::assert_answer;

fn ids(page: &Value) -> Vec<&str> {
    page["deliveries"].as_array().unwrap().iter().map(|delivery| delivery["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_stands_as_it_does_and_is_found_by_that() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"events": ["api_key.*"]})).await;
    let delivered = case.delivered(200, Then::Delivered).await;
    let failed = case.delivered(503, Then::Retry(Duration::from_hours(1))).await;
    let dead = case.delivered(500, Then::Dead).await;
    case.make_event().await;
    let claimed = case.claim().await;
    let payload: Value = serde_json::from_str(&claimed.payload).unwrap();
    case.make_event().await;

    let list =
        async |query: &str| case.owner.get(&case.of(&endpoint, &format!("/deliveries{query}"))).await.expect(200);
    let all = list("").await;
    let stand: Vec<&Value> = all["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["status"]).collect();
    assert_eq!(json!(stand), json!(["pending", "in_flight", "dlq", "failed", "delivered"]));
    let pending = ids(&all)[0].to_owned();
    for (status, id) in [
        ("pending", &json!(pending)),
        ("in_flight", &payload["delivery_id"]),
        ("dlq", &dead),
        ("failed", &failed),
        ("delivered", &delivered),
    ] {
        let found = list(&format!("?status={status}")).await;
        assert_eq!((json!(ids(&found)), &found["total"]), (json!([id]), &json!(1)), "{status}");
    }
    assert_eq!(list("?status=dlq&type=api_key.revoked").await["total"], 0);
    assert_eq!(list("?type=api_key.created").await["total"], 5);
    assert_eq!(ids(&list("?limit=2&offset=3").await), ids(&all)[3..]);
    assert_answer!(case.owner.get(&case.of(&endpoint, "/deliveries?status=failed")).await);
}

#[tokio::test]
async fn time_narrows_to_the_millisecond() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    case.make_event().await;
    // Events before this line, and events after it.
    let between = Utc::now() + TimeDelta::milliseconds(2);
    crate::support::eventually("two milliseconds to pass", async || (Utc::now() > between).then_some(())).await;
    case.make_event().await;
    let at = between.to_rfc3339_opts(SecondsFormat::Millis, true);
    let list =
        async |query: String| case.owner.get(&case.of(&endpoint, &format!("/deliveries?{query}"))).await.expect(200);
    let (before, after) = (list(format!("until={at}")).await, list(format!("since={at}")).await);
    assert_eq!((before["total"].clone(), after["total"].clone()), (json!(1), json!(1)));
    assert_ne!(ids(&before), ids(&after));
    assert_eq!(list("since=2001-01-01T00:00:00Z&until=2001-01-02T00:00:00%2B01:00".to_owned()).await["total"], 0);
}

#[tokio::test]
async fn counting_ends_at_ten_thousand() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    // Their jobs have ended.
    let many = "INSERT INTO webhook_delivery (id, org_id, endpoint_id, event_id, event_type, trigger, state, job_id, next_attempt_at,
                                              delivered_at)
                SELECT gen_random_uuid(), e.org_id, e.id, gen_random_uuid(), 'api_key.created', 'event', 'delivered', gen_random_uuid(),
                       NULL, now()
                  FROM webhook_endpoint e, generate_series(1, 10001) WHERE e.id = $1";
    case.sql(many, &endpoint["id"]).await;
    let list = async |query: &str| case.owner.get(&case.of(&endpoint, &format!("/deliveries{query}"))).await;
    let last = list("?offset=10000&limit=200").await.expect(200);
    assert_eq!((&last["total"], &last["total_is_exact"]), (&json!(10_000), &json!(false)));
    assert_eq!(ids(&last).len(), 1);
    assert_answer!(list("?offset=10001").await);
    assert_eq!(list("?status=dlq").await.expect(200)["total_is_exact"], true);
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    for (query, field) in [
        ("status=done", "status"),
        ("status=dlq&status=failed", "status"),
        ("type=drift.changed", "type"),
        ("type=drift.*", "type"),
        ("since=yesterday", "since"),
        ("since=2026-01-01", "since"),
        ("until=*/5", "until"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "until"),
        ("limit=201", "limit"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("state=dlq", "state"),
    ] {
        let answer = case.owner.get(&case.of(&endpoint, &format!("/deliveries?{query}"))).await.expect(400);
        assert_eq!(answer["field"], field, "{query}: {answer}");
    }
}
