//! `PUT /orgs/{id}/schedules/{sid}`

use chrono::{DateTime, Timelike as _, Utc};
use jobs::domain::Plan;
use serde_json::{Value, json};

use super::Case;

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let case = Case::new().await;
    let first =
        json!({"timezone": "Asia/Kathmandu", "filter_regions": ["eu-west-1"], "notify_slack_channel": "#drift"});
    let before = case.schedule(first).await;
    let path = case.of(&before, "");
    let renamed = case.admin.put(&path, &json!({"name": "at night"})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["next_run_at"]), (&json!("at night"), &before["next_run_at"]));
    for field in ["schedule", "timezone", "filter_regions", "notify_slack_channel", "enabled", "created_at"] {
        assert_eq!(renamed[field], before[field], "{field}");
    }
    let moved = case.admin.put(&path, &json!({"schedule": "45 5 * * *", "timezone": null})).await.expect(200);
    let next: DateTime<Utc> = moved["next_run_at"].as_str().unwrap().parse().unwrap();
    assert_eq!((&moved["timezone"], next.hour(), next.minute()), (&json!("UTC"), 5, 45));
    let change = json!({"cloud_account_id": case.account, "notify_slack_channel": null, "filter_regions": []});
    let changed = case.admin.put(&path, &change).await.expect(200);
    assert_eq!(changed["cloud_account_id"], json!(case.account));
    assert_eq!((&changed["notify_slack_channel"], &changed["filter_regions"]), (&json!(null), &json!([])));
    let all = case.admin.put(&path, &json!({"cloud_account_id": null})).await.expect(200);
    assert_eq!(all["cloud_account_id"], json!(null));
    assert_eq!(case.fixture.audited(case.org).await.len(), 5);
}

#[tokio::test]
async fn a_change_of_nothing_leaves_no_trace() {
    let case = Case::new().await;
    let before = case.schedule(json!({})).await;
    let path = case.of(&before, "");
    for same in
        [json!({}), json!({"name": "every night", "schedule": "30  2 * * *", "timezone": "UTC", "enabled": true})]
    {
        assert_eq!(case.admin.put(&path, &same).await.expect(200)["updated_at"], before["updated_at"]);
    }
    assert_eq!(case.fixture.audited(case.org).await, ["schedule.created"]);
}

#[tokio::test]
async fn switched_off_it_does_not_fire_and_switched_on_it_begins_anew() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    let path = case.of(&schedule, "");
    let off = case.admin.put(&path, &json!({"enabled": false})).await.expect(200);
    assert_eq!(
        (&off["enabled"], &off["next_run_at"], &off["disabled_reason"]),
        (&json!(false), &json!(null), &json!(null))
    );
    case.sql(
        "UPDATE schedule SET disabled_reason = 'all of it failed', consecutive_failures = 5, last_error = 'refused'",
    )
    .await;
    let renamed = case.admin.put(&path, &json!({"name": "b"})).await.expect(200);
    assert_eq!(renamed["disabled_reason"], json!("all of it failed"), "a change of something else does not wake it");
    let on = case.admin.put(&path, &json!({"enabled": true})).await.expect(200);
    let told: Vec<&Value> =
        ["enabled", "disabled_reason", "consecutive_failures", "last_error"].map(|field| &on[field]).into();
    assert_eq!(json!(told), json!([true, null, 0, "refused"]));
    assert_eq!(on["next_run_at"], schedule["next_run_at"]);
}

#[tokio::test]
async fn the_plan_limits_how_often_a_changed_line_fires() {
    let case = Case::on(Plan::Team).await;
    let schedule = case.schedule(json!({"schedule": "*/15 * * * *"})).await;
    let path = case.of(&schedule, "");
    let refused = case.admin.put(&path, &json!({"schedule": "*/10 * * * *"})).await.expect(402);
    assert_eq!(refused["code"], "plan_schedule_frequency");
    assert_eq!((&refused["limit"], &refused["used"], &refused["plan"]), (&json!(900), &json!(600), &json!("team")));
    // A line that was taken under a larger plan stays until it is touched.
    case.sql("UPDATE schedule SET schedule = '* * * * *', enabled = false, next_run_at = NULL").await;
    case.admin.put(&path, &json!({"name": "b"})).await.expect(200);
    case.admin.put(&path, &json!({"enabled": true})).await.expect(402);
    case.admin.put(&path, &json!({"enabled": true, "schedule": "@hourly"})).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    let path = case.of(&schedule, "");
    for (change, status, field) in [
        (json!({"schedule": "0 0 31 2 *"}), 422, "schedule"),
        (json!({"schedule": null, "name": ""}), 422, "name"),
        (json!({"timezone": "Mars"}), 422, "timezone"),
        (json!({"cloud_account_id": schedule["id"]}), 422, "cloud_account_id"),
        (json!({"notify_webhook_config_ids": [schedule["id"]]}), 422, "notify_webhook_config_ids"),
        (json!({"filter_regions": ["mars"]}), 422, "filter_regions[0]"),
        (json!({"enabled": 1}), 400, "enabled"),
        (json!({"disabled_reason": null}), 400, "disabled_reason"),
    ] {
        let answer = case.admin.put(&path, &change).await;
        assert_eq!(answer.body["field"], field, "{change}: {}", answer.body);
        answer.expect(status);
    }
    for (caller, class) in case.refused().await {
        assert_eq!(caller.put(&path, &json!({"enabled": false})).await.body["error_class"], class);
    }
    assert_eq!(case.admin.get(&path).await.expect(200), schedule);
}
