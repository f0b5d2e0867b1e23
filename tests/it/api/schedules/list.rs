//! `GET /orgs/{id}/schedules` and `…/{sid}`

use jobs::domain::{Plan, Role};
use serde_json::json;

use super::Case;

#[tokio::test]
async fn a_page_is_newest_first_and_has_those_that_are_switched_off() {
    let case = Case::new().await;
    let mut ids = Vec::new();
    for nth in 0..5 {
        ids.insert(0, case.schedule(json!({"name": format!("s{nth}"), "enabled": nth != 2})).await["id"].clone());
    }
    let page = case.admin.get(&case.path("?limit=3&offset=1")).await.expect(200);
    let listed: Vec<_> = page["schedules"].as_array().unwrap().iter().map(|schedule| schedule["id"].clone()).collect();
    assert_eq!(listed, ids[1..4]);
    assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&json!(5), &json!(3), &json!(1)));
    assert_eq!(page["schedules"][1]["enabled"], json!(false));
    case.admin.get(&case.path("?limit=201")).await.expect(400);
}

#[tokio::test]
async fn somebody_elses_is_as_one_that_is_none() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    let elsewhere = case.fixture.org("elsewhere", Plan::Team).await;
    let them = case.fixture.caller(elsewhere, Role::Owner).await;
    let id = schedule["id"].as_str().unwrap();
    for tail in ["", "/firings"] {
        them.get(&format!("/api/v2/orgs/{elsewhere}/schedules/{id}{tail}")).await.expect(404);
    }
    them.post(&format!("/api/v2/orgs/{elsewhere}/schedules/{id}/run"), &json!({})).await.expect(404);
    them.put(&format!("/api/v2/orgs/{elsewhere}/schedules/{id}"), &json!({"enabled": false})).await.expect(404);
    them.delete(&format!("/api/v2/orgs/{elsewhere}/schedules/{id}")).await.expect(404);
    assert_eq!(case.admin.get(&case.of(&schedule, "")).await.expect(200), schedule);
}
