//! `GET /orgs/{id}/schedules/preview`

use chrono::{DateTime, Datelike as _, Utc, Weekday};
use jobs::cron::zone;
use jobs::domain::{Plan, Role};
use serde_json::{Value, json};

use super::Case;

fn times(preview: &Value) -> Vec<DateTime<Utc>> {
    preview["next_runs"].as_array().unwrap().iter().map(|time| time.as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_line_is_told_in_words_with_its_next_ten_firings() {
    let case = Case::on(Plan::Team).await;
    let viewer = case.fixture.person(case.org, Role::Viewer).await;
    let query = "?schedule=0%209%20*%20*%20MON-FRI&timezone=Europe/Berlin";
    let mut preview = viewer.get(&case.path(&format!("/preview{query}"))).await.expect(200);
    let next = times(&preview);
    assert_eq!(next.len(), 10);
    assert!(next.is_sorted() && next[0] > Utc::now());
    for time in next {
        let local = time.with_timezone(&zone("Europe/Berlin").unwrap());
        assert_eq!(local.format("%H:%M:%S").to_string(), "09:00:00");
        assert!(![Weekday::Sat, Weekday::Sun].contains(&local.weekday()));
    }
    preview["next_runs"] = json!([]);
    insta::assert_json_snapshot!(preview);
}

#[tokio::test]
async fn it_tells_whether_the_plan_allows_the_line() {
    let case = Case::on(Plan::Free).await;
    for (line, interval, allowed) in [("@hourly", 3_600, true), ("*/15+*+*+*+*", 900, false)] {
        let preview = case.admin.get(&case.path(&format!("/preview?schedule={line}"))).await.expect(200);
        assert_eq!((&preview["interval_seconds"], &preview["allowed"]), (&json!(interval), &json!(allowed)));
        assert_eq!((&preview["plan_interval_seconds"], &preview["timezone"]), (&json!(3_600), &json!("UTC")));
    }
}

#[tokio::test]
async fn what_is_wrong_names_its_parameter() {
    let case = Case::new().await;
    for (query, field) in [
        ("", "schedule"),
        ("?schedule=0+0+31+2+*", "schedule"),
        ("?schedule=@daily&timezone=Mars", "timezone"),
        ("?schedule=@daily&schedule=@hourly", "schedule"),
        ("?schedule=@daily&zone=UTC", "zone"),
    ] {
        let answer = case.admin.get(&case.path(&format!("/preview{query}"))).await;
        assert_eq!(answer.body["field"], field, "{query}: {}", answer.body);
        answer.expect(400);
    }
}
