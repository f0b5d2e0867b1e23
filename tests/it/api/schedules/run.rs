//! `POST /orgs/{id}/schedules/{sid}/run`

use jobs::domain::{Plan, Role};
use reqwest::Method;
use serde_json::json;

use super::Case;
use super::world::account;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn all_accounts_are_scanned_and_the_next_firing_stays() {
    let case = Case::new().await;
    account(&case.fixture, case.org).await;
    let schedule = case.schedule(json!({"filter_regions": ["eu-west-1"]})).await;
    let started = case.admin.post(&case.of(&schedule, "/run"), &json!({})).await;
    assert_eq!(started.header("location"), format!("/api/v2/orgs/{}/scans", case.org));
    let body = started.expect(202);
    assert_eq!((&body["count"], body["scan_ids"].as_array().unwrap().len()), (&json!(2), 2));
    for id in body["scan_ids"].as_array().unwrap() {
        let scan =
            case.admin.get(&format!("/api/v2/orgs/{}/scans/{}", case.org, id.as_str().unwrap())).await.expect(200);
        assert_eq!((&scan["scan_type"], &scan["status"]), (&json!("scheduled"), &json!("pending")));
        assert_eq!((&scan["schedule_id"], &scan["filter_regions"]), (&schedule["id"], &json!(["eu-west-1"])));
    }
    let listed = case.admin.get(&format!("/api/v2/orgs/{}/scans?scan_type=scheduled", case.org)).await.expect(200);
    assert_eq!(listed["total"], 2);
    let after = case.admin.get(&case.of(&schedule, "")).await.expect(200);
    assert_eq!(after["next_run_at"], schedule["next_run_at"]);
    assert!(after["last_run_at"].is_string());
    assert_eq!(case.fixture.audited(case.org).await, ["schedule.created", "schedule.run"]);

    let again = case.admin.post(&case.of(&schedule, "/run"), &json!({})).await;
    assert_eq!(again.expect(409)["error_class"], "still_running");
}

#[tokio::test]
async fn at_the_plans_limit_nothing_is_started() {
    let case = Case::on(Plan::Free).await;
    let schedule = case.schedule(json!({})).await;
    let scan = json!({"cloud_account_id": case.account});
    case.admin.post(&format!("/api/v2/orgs/{}/scans", case.org), &scan).await.expect(202);
    let before = case.fixture.audited(case.org).await;
    assert_answer!(case.admin.post(&case.of(&schedule, "/run"), &json!({})).await);
    assert_eq!(case.count("SELECT count(*) FROM scan_run").await, 1);
    assert_eq!(case.count("SELECT count(*) FROM schedule_firing").await, 0);
    assert_eq!(case.fixture.audited(case.org).await, before);
}

#[tokio::test]
async fn of_two_at_once_on_the_last_place_one_is_started() {
    let case = Case::on(Plan::Free).await;
    let schedule = case.schedule(json!({})).await;
    let (path, body) = (case.of(&schedule, "/run"), json!({}));
    let answers = futures::future::join_all((0..5).map(|_| case.admin.post(&path, &body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409, 409, 409, 409]);
    assert_eq!(case.count("SELECT count(*) FROM job").await, 1);
}

#[tokio::test]
async fn a_switched_off_one_can_be_run_and_a_deleted_one_not() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({"enabled": false})).await;
    let path = case.of(&schedule, "/run");
    let member = case.fixture.person(case.org, Role::Member).await;
    let request = || {
        let request = member.request(Method::POST, &path).header("idempotency-key", "k-1");
        member.send(request)
    };
    let first = request().await.expect(202);
    assert_eq!(request().await.expect(202), first, "a repeated request runs it once");
    let viewer = case.fixture.person(case.org, Role::Viewer).await;
    assert_eq!(viewer.post(&path, &json!({})).await.expect(403)["error_class"], "insufficient_role");
    case.admin.delete(&case.of(&schedule, "")).await.expect(204);
    case.admin.post(&path, &json!({})).await.expect(404);
    assert_eq!(case.count("SELECT count(*) FROM scan_run").await, 1);
}

#[tokio::test]
async fn without_an_account_there_is_nothing_to_run() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    case.sql("DELETE FROM cloud_account").await;
    let refused = case.admin.post(&case.of(&schedule, "/run"), &json!({})).await.expect(409);
    assert_eq!(refused["error_class"], "no_accounts");
}
