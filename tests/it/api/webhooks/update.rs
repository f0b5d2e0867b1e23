//! `PATCH /orgs/{id}/webhook-endpoints/{endpoint_id}`

use serde_json::{Value, json};

use super::{Case, LATE};
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"description": "before", "rate_per_second": 5})).await;
    let path = case.of(&endpoint, "");
    let change = json!({
        "url": format!("https://{LATE}/"), "events": ["scan.*"], "max_in_flight": 2, "headers": {"X-Team": "a"},
    });
    assert_answer!(case.owner.patch(&path, &change).await);
    assert_eq!(case.limit(&endpoint).await, (2, Some(5.0)));
    let cleared = case.owner.patch(&path, &json!({"description": "", "headers": {}})).await.expect(200);
    assert_eq!((&cleared["description"], &cleared["header_names"]), (&json!(""), &json!([])));
    let created_and_changed = ["webhook_endpoint.created", "webhook_endpoint.updated", "webhook_endpoint.updated"];
    assert_eq!(case.fixture.audited(case.org).await, created_and_changed);
}

#[tokio::test]
async fn null_removes_the_rate_and_absence_keeps_it() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"rate_per_second": 5})).await;
    let path = case.of(&endpoint, "");
    case.owner.patch(&path, &json!({"description": "x"})).await.expect(200);
    assert_eq!(case.limit(&endpoint).await.1, Some(5.0));
    assert_eq!(
        case.owner.patch(&path, &json!({"rate_per_second": null})).await.expect(200)["rate_per_second"],
        json!(null)
    );
    assert_eq!(case.limit(&endpoint).await.1, None);
}

#[tokio::test]
async fn a_change_of_nothing_leaves_no_trace() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"rate_per_second": 5})).await;
    let path = case.of(&endpoint, "");
    for same in [
        json!({}),
        json!({"active": true, "headers": {}, "url": endpoint["url"], "rate_per_second": 5.0}),
        json!({"events": ["api_key.*", "api_key.*"], "description": "", "cloud_account_ids": [], "max_in_flight": 10}),
    ] {
        let answer = case.owner.patch(&path, &same).await.expect(200);
        assert_eq!(answer["updated_at"], endpoint["updated_at"], "{same}");
    }
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created"]);
}

#[tokio::test]
async fn a_paused_one_is_held_at_nothing_until_it_is_resumed() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({"max_in_flight": 7, "rate_per_second": 2})).await;
    let path = case.of(&endpoint, "");
    let paused = case.owner.patch(&path, &json!({"active": false})).await.expect(200);
    assert_eq!((&paused["active"], paused["paused_at"].is_string()), (&json!(false), true));
    assert_eq!(case.limit(&endpoint).await, (0, Some(2.0)));
    // What else changes does not wake it, and pausing it again changes nothing.
    case.owner.patch(&path, &json!({"max_in_flight": 8})).await.expect(200);
    assert_eq!(case.limit(&endpoint).await, (0, Some(2.0)));
    let again = case.owner.patch(&path, &json!({"active": false})).await.expect(200);
    assert_eq!(again["paused_at"], paused["paused_at"]);
    // Events go on being recorded for it.
    case.make_event().await;
    assert_eq!(case.count("SELECT count(*) FROM webhook_delivery WHERE org_id = $1").await, 1);
    let resumed = case.owner.patch(&path, &json!({"active": true})).await.expect(200);
    assert_eq!((&resumed["active"], &resumed["paused_at"]), (&json!(true), &json!(null)));
    assert_eq!(case.limit(&endpoint).await, (8, Some(2.0)));
    assert_eq!(
        case.fixture.audited(case.org).await.iter().filter(|action| *action == "webhook_endpoint.updated").count(),
        3
    );
}

#[tokio::test]
async fn a_disabled_one_is_resumed_with_its_failures_forgotten() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let disable = "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410', consecutive_failures = 60,
                   failed_deliveries = 55, failing_since = now() - interval '6 days' WHERE id = $1";
    case.sql(disable, &endpoint["id"]).await;
    let resumed = case.owner.patch(&case.of(&endpoint, ""), &json!({"active": true})).await.expect(200);
    let told: Vec<&Value> = ["active", "disabled_at", "disabled_reason", "failing_since", "consecutive_failures"]
        .map(|field| &resumed[field])
        .into();
    assert_eq!(json!(told), json!([true, null, null, null, 0]));
    assert_eq!(case.limit(&endpoint).await.0, 10);
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "");
    for (change, status, field) in [
        (json!({"url": "http://hooks.example.com/"}), 422, "url"),
        (json!({"url": "https://nowhere.example.com/"}), 422, "url"),
        (json!({"events": []}), 422, "events"),
        (json!({"headers": {"Host": "x"}}), 422, "headers.Host"),
        (json!({"max_in_flight": -1}), 422, "max_in_flight"),
        (json!({"rate_per_second": "5"}), 400, "rate_per_second"),
        (json!({"cloud_account_ids": [endpoint["id"]]}), 422, "cloud_account_ids"),
        (json!({"active": "no"}), 400, "active"),
        (json!({"disabled_at": null}), 400, "disabled_at"),
    ] {
        let answer = case.owner.patch(&path, &change).await;
        assert_eq!(answer.body["field"], field, "{change}: {}", answer.body);
        answer.expect(status);
    }
    for (caller, class) in case.refused().await {
        assert_eq!(caller.patch(&path, &json!({"active": false})).await.body["error_class"], class);
    }
    assert_eq!(case.owner.get(&path).await.expect(200)["updated_at"], endpoint["updated_at"]);
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created"]);
}
