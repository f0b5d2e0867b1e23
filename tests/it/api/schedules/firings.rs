//! `GET /orgs/{id}/schedules/{sid}/firings`

use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn each_says_what_became_of_it_newest_first() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    case.admin.post(&case.of(&schedule, "/run"), &json!({})).await.expect(202);
    case.sql(
        "INSERT INTO schedule_firing (schedule_id, scheduled_for, org_id, trigger, outcome, missed_count, missed_since)
         SELECT id, now() - interval '1 hour', org_id, 'cron', 'missed', 2, now() - interval '3 hours' FROM schedule",
    )
    .await;
    assert_answer!(case.admin.get(&case.of(&schedule, "/firings")).await);
    let page = case.admin.get(&case.of(&schedule, "/firings?limit=1&offset=1")).await.expect(200);
    assert_eq!((&page["total"], &page["firings"][0]["outcome"]), (&json!(2), &json!("missed")));
    case.admin.get(&case.of(&schedule, "/firings?limit=101")).await.expect(400);
}
