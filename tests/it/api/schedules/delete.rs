//! `DELETE /orgs/{id}/schedules/{sid}`

use serde_json::json;

use super::Case;

#[tokio::test]
async fn a_deleted_one_is_gone_and_its_row_and_scans_stay() {
    let case = Case::new().await;
    let schedule = case.schedule(json!({})).await;
    let path = case.of(&schedule, "");
    let run = case.admin.post(&case.of(&schedule, "/run"), &json!({})).await.expect(202);
    for (caller, class) in case.refused().await {
        assert_eq!(caller.delete(&path).await.body["error_class"], class);
    }
    case.admin.delete(&path).await.expect(204);
    case.admin.delete(&path).await.expect(404);
    case.admin.get(&path).await.expect(404);
    case.admin.get(&case.of(&schedule, "/firings")).await.expect(404);
    case.admin.put(&path, &json!({"enabled": true})).await.expect(404);
    assert_eq!(case.admin.get(&case.path("")).await.expect(200)["total"], 0);
    assert_eq!(
        case.count("SELECT count(*) FROM schedule WHERE deleted_at IS NOT NULL AND next_run_at IS NULL").await,
        1
    );
    let scan = run["scan_ids"][0].as_str().unwrap();
    let scan = case.admin.get(&format!("/api/v2/orgs/{}/scans/{scan}", case.org)).await.expect(200);
    assert_eq!((&scan["status"], &scan["schedule_id"]), (&json!("pending"), &schedule["id"]));
    assert_eq!(case.fixture.audited(case.org).await.last().unwrap(), "schedule.deleted");
}
