//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/replay` and `GET …/replays/{replay_id}`

use chrono::{DateTime, TimeDelta, Utc};
use jobs::domain::{Plan, Role};
use jobs::ids::WebhookReplayId;
use reqwest::Method;
use serde_json::{Value, json};

use super::Case;
use crate::api::snapshot::assert_answer;

fn ago(time: TimeDelta) -> DateTime<Utc> {
    Utc::now() - time
}

fn hour() -> Value {
    json!({"since": ago(TimeDelta::hours(1))})
}

#[tokio::test]
async fn one_is_begun_and_can_be_watched() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let body =
        json!({"since": ago(TimeDelta::hours(2)), "until": Utc::now() + TimeDelta::days(9), "only_failed": false});
    let begun = case.owner.post(&case.of(&endpoint, "/replay"), &body).await;
    assert_answer!(begun);
    let place = begun.header("location").to_owned();
    assert_eq!(case.owner.get(&place).await.expect(200), begun.body);
    assert_eq!(case.count("SELECT count(*) FROM job WHERE tenant = $1 AND kind = 'replay_webhooks'").await, 1);
    let until = begun.body["until"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(until <= Utc::now(), "what is to come is none of it");

    case.sql(
        "UPDATE webhook_replay SET state = 'running', reached_at = since + (until - since) / 4 WHERE id = $1",
        &begun.body["id"],
    )
    .await;
    let running = case.owner.get(&place).await.expect(200);
    assert!((running["progress"].as_f64().unwrap() - 0.25).abs() < 0.001, "{running}");
    case.sql(
        "UPDATE webhook_replay SET state = 'done', finished_at = now(), reached_at = until WHERE id = $1",
        &begun.body["id"],
    )
    .await;
    assert_eq!(case.owner.get(&place).await.expect(200)["progress"], 1.0);
    // It is known also when its endpoint is not any more.
    case.owner.delete(&case.of(&endpoint, "")).await.expect(204);
    case.owner.get(&place).await.expect(200);
    assert_eq!(case.fixture.audited(case.org).await[1], "webhook_replay.created");
}

#[tokio::test]
async fn there_is_one_at_a_time() {
    let case = Case::new().await;
    let (endpoint, other) = (case.endpoint(json!({})).await, case.endpoint(json!({})).await);
    let path = case.of(&endpoint, "/replay");
    let body = hour();
    let request = || case.owner.request(Method::POST, &path).header("Idempotency-Key", "once").json(&body);
    let first = case.owner.send(request()).await.expect(202);
    assert_eq!(case.owner.send(request()).await.expect(202), first);
    assert_answer!(case.owner.post(&path, &hour()).await);
    case.owner.post(&case.of(&other, "/replay"), &hour()).await.expect(202);
    // A deleted endpoint's is cancelled.
    case.owner.delete(&case.of(&endpoint, "")).await.expect(204);
    let place = case.of(&endpoint, &format!("/replays/{}", first["id"].as_str().unwrap()));
    assert_eq!(case.owner.get(&place).await.expect(200)["state"], "cancelled");
}

#[tokio::test]
async fn a_paused_one_may_and_a_disabled_one_may_not() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/replay");
    let disable = "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410' WHERE id = $1";
    case.sql(disable, &endpoint["id"]).await;
    assert_eq!(case.owner.post(&path, &hour()).await.expect(409)["error_class"], "endpoint_disabled");
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": true})).await.expect(200);
    case.owner.patch(&case.of(&endpoint, ""), &json!({"active": false})).await.expect(200);
    case.owner.post(&path, &hour()).await.expect(202);
    case.owner.delete(&case.of(&endpoint, "")).await.expect(204);
    case.owner.post(&path, &hour()).await.expect(404);
}

#[tokio::test]
async fn what_is_wrong_names_its_field_and_begins_nothing() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/replay");
    for (body, status, field) in [
        (json!({}), 400, "since"),
        (json!({"since": "yesterday"}), 400, "since"),
        (json!({"since": 1_700_000_000}), 400, "since"),
        (json!({"since": ago(TimeDelta::days(31))}), 422, "since"),
        (json!({"since": Utc::now() + TimeDelta::minutes(1)}), 422, "since"),
        (json!({"since": ago(TimeDelta::hours(1)), "until": ago(TimeDelta::hours(2))}), 422, "until"),
        (json!({"since": ago(TimeDelta::hours(1)), "until": "later"}), 400, "until"),
        (json!({"since": ago(TimeDelta::hours(1)), "only_failed": "no"}), 400, "only_failed"),
        (json!({"since": ago(TimeDelta::hours(1)), "only_faild": true}), 400, "only_faild"),
    ] {
        let answer = case.owner.post(&path, &body).await;
        assert_eq!(answer.body["field"], field, "{body}: {}", answer.body);
        answer.expect(status);
    }
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&path, &hour()).await.body["error_class"], class);
    }
    assert_eq!(case.count("SELECT count(*) FROM webhook_replay WHERE org_id = $1").await, 0);
}

#[tokio::test]
async fn somebody_elses_is_as_one_that_is_none() {
    let case = Case::new().await;
    let (endpoint, other) = (case.endpoint(json!({})).await, case.endpoint(json!({})).await);
    let begun = case.owner.post(&case.of(&endpoint, "/replay"), &hour()).await.expect(202);
    let id = begun["id"].as_str().unwrap();
    case.owner.get(&case.of(&other, &format!("/replays/{id}"))).await.expect(404);
    case.owner.get(&case.of(&endpoint, &format!("/replays/{}", WebhookReplayId::new()))).await.expect(404);
    let theirs = case.fixture.org("theirs", Plan::Team).await;
    let stranger = case.fixture.caller(theirs, Role::Admin).await;
    let endpoint_id = endpoint["id"].as_str().unwrap();
    let through = format!("/api/v2/orgs/{theirs}/webhook-endpoints/{endpoint_id}/replays/{id}");
    stranger.get(&through).await.expect(404);
}
