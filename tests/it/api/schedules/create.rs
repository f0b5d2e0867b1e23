//! `POST /orgs/{id}/schedules`

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use jobs::cron::zone;
use jobs::domain::{Plan, Role};
use reqwest::Method;
use serde_json::{Value, json};

use super::Case;
use super::world::account;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn it_is_planned_in_its_zone_and_spread_by_its_id() {
    let case = Case::new().await;
    let body = json!({
        "name": "every night", "schedule": " 30  2 * * MON-fri ", "timezone": "Europe/Berlin", "cloud_account_id": case.account,
        "filter_regions": ["eu-west-1"], "notify_slack_channel": "#drift",
    });
    let created = case.admin.post(&case.path(""), &body).await;
    assert_answer!(created);
    let shown = case.admin.get(created.header("location")).await.expect(200);
    assert_eq!(shown, created.body);
    let next: DateTime<Utc> = created.body["next_run_at"].as_str().unwrap().parse().unwrap();
    let local = next.with_timezone(&zone("Europe/Berlin").unwrap());
    assert_eq!((local.hour(), local.minute(), local.nanosecond()), (2, 30, 0), "{local}");
    assert!(local.second() <= 30 && next - Utc::now() < TimeDelta::days(4), "{local}");
    assert_eq!(case.fixture.audited(case.org).await, ["schedule.created"]);
}

#[tokio::test]
async fn without_more_than_name_and_line_it_scans_all_accounts_in_utc() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({"timezone": null, "cloud_account_id": null})).await;
    for (field, value) in [
        ("timezone", json!("UTC")),
        ("cloud_account_id", json!(null)),
        ("filter_regions", json!([])),
        ("notify_webhook_config_ids", json!([])),
        ("enabled", json!(true)),
        ("consecutive_failures", json!(0)),
    ] {
        assert_eq!(schedule[field], value, "{field}");
    }
    let off = case.schedule(json!({"enabled": false})).await;
    assert_eq!(
        (&off["enabled"], &off["next_run_at"], &off["disabled_reason"]),
        (&json!(false), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn what_is_wrong_names_its_field_and_the_way_out() {
    let case = Case::new().await;
    let elsewhere = case.fixture.org("elsewhere", Plan::Team).await;
    let theirs = account(&case.fixture, elsewhere).await;
    let long = format!("0 0 * * {}", "1,".repeat(250));
    let mut table = String::new();
    for (field, value) in [
        ("schedule", json!("0 0 0 * * *")),
        ("schedule", json!("61 * * * *")),
        ("schedule", json!("0 0 31 2 *")),
        ("schedule", json!("0 0 30,31 2 *")),
        ("schedule", json!("0 9 * * lundi")),
        ("schedule", json!("0 9 * Mär *")),
        ("schedule", json!("0 9 * * 月")),
        ("schedule", json!("٥ 9 * * *")),
        ("schedule", json!("*/90 * * * *")),
        ("schedule", json!("0 9 * * 5-1")),
        ("schedule", json!("0 9 ? * 1")),
        ("schedule", json!("0 9 L * *")),
        ("schedule", json!("@reboot")),
        ("schedule", json!("")),
        ("schedule", json!("nightly")),
        ("schedule", json!(long)),
        ("schedule", json!(5)),
        ("timezone", json!("Europe/Berln")),
        ("timezone", json!("+02:00")),
        ("timezone", json!("")),
        ("name", json!("")),
        ("name", json!("   ")),
        ("name", json!("x".repeat(257))),
        ("cloud_account_id", json!("all")),
        ("cloud_account_id", json!(theirs)),
        ("filter_regions", json!(["mars-north-1"])),
        ("notify_webhook_config_ids", json!([theirs])),
        ("notify_webhook_config_ids", json!(["x"])),
        ("notify_slack_channel", json!("")),
        ("enabled", json!("yes")),
        ("next_run_at", json!("2026-01-01T00:00:00Z")),
    ] {
        let mut body = json!({"name": "every night", "schedule": "30 2 * * *"});
        body[field] = value.clone();
        let answer = case.admin.post(&case.path(""), &body).await;
        let named = answer.body["field"].as_str().unwrap_or_default();
        assert!(named.starts_with(field), "{body}: {}", answer.body);
        let value: String = value.to_string().chars().take(24).collect();
        let error = answer.body["error"].as_str().unwrap().replace(&theirs.to_string(), "[theirs]");
        writeln!(
            table,
            "{:<24} {} {error}",
            value.replace(&theirs.to_string()[..8], "[theirs]"),
            answer.status.as_u16()
        )
        .unwrap();
    }
    insta::assert_snapshot!(stable(&table));
    assert_eq!(case.count("SELECT count(*) FROM schedule").await, 0);
}

/// Without the beginnings of ids.
fn stable(table: &str) -> String {
    table.lines().map(|line| if line.contains("[theirs]") { &line[24..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_plan_limits_how_many_and_how_often() {
    let case = Case::on(Plan::Free).await;
    let too_often = json!({"name": "a", "schedule": "*/30 * * * *"});
    assert_answer!(case.admin.post(&case.path(""), &too_often).await);
    let hourly = json!({"name": "a", "schedule": "0 * * * *"});
    // Twice in one hour of the year is as often as always.
    let once_often = json!({"name": "a", "schedule": "0,59 0 1 1 *"});
    assert_eq!(case.admin.post(&case.path(""), &once_often).await.expect(402)["code"], "plan_schedule_frequency");
    case.admin.post(&case.path(""), &hourly).await.expect(201);
    insta::assert_json_snapshot!(
        "too_many",
        crate::api::snapshot::stable(&case.admin.post(&case.path(""), &hourly).await)
    );
    case.sql("UPDATE schedule SET enabled = false, next_run_at = NULL").await;
    case.admin.post(&case.path(""), &hourly).await.expect(402);
    case.sql("UPDATE schedule SET deleted_at = now()").await;
    case.admin.post(&case.path(""), &hourly).await.expect(201);
}

#[tokio::test]
async fn of_thirty_at_once_a_plan_of_twenty_takes_twenty() {
    let case = Case::on(Plan::Team).await;
    let body = json!({"name": "a", "schedule": "@daily"});
    let path = case.path("");
    let all = futures::future::join_all((0..30).map(|_| case.admin.post(&path, &body))).await;
    let created = all.iter().filter(|answer| answer.status.as_u16() == 201).count();
    let refused = all.iter().filter(|answer| answer.body["code"] == "plan_limit_exceeded").count();
    assert_eq!((created, refused), (20, 10));
}

#[tokio::test]
async fn it_takes_an_admin_and_a_repeated_request_creates_one() {
    let case = Case::new().await;
    let body = json!({"name": "a", "schedule": "@daily"});
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path(""), &body).await.body["error_class"], class);
    }
    let request = || {
        let request = case.admin.request(Method::POST, &case.path("")).header("idempotency-key", "k-1");
        case.admin.send(request.json(&body))
    };
    let first: Value = request().await.expect(201);
    assert_eq!(request().await.expect(201), first);
    assert_eq!(case.count("SELECT count(*) FROM schedule").await, 1);
    let viewer = case.fixture.person(case.org, Role::Viewer).await;
    viewer.get(&case.of(&first, "")).await.expect(200);
}
