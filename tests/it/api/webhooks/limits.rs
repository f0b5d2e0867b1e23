//! How many endpoints there may be.

use futures::future::join_all;
use jobs::domain::{Plan, Role};
use serde_json::json;

use super::{Case, PUBLIC};
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn of_thirty_at_once_twenty_are_created_and_a_deleted_one_makes_room() {
    let case = Case::new().await;
    let body = json!({"url": format!("https://{PUBLIC}/"), "events": ["drift.*"]});
    let path = case.path("");
    let answers = join_all((0..30).map(|_| case.owner.post(&path, &body))).await;
    let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((good.len(), refused.len()), (20, 10));
    assert!(refused.iter().all(|answer| answer.body["error_class"] == "too_many_endpoints"), "{refused:?}");
    assert_answer!(case.owner.post(&case.path(""), &body).await);
    assert_eq!(case.count("SELECT count(*) FROM webhook_endpoint WHERE org_id = $1").await, 20);
    assert_eq!(case.fixture.audited(case.org).await.len(), 20);

    case.owner.delete(good[7].header("location")).await.expect(204);
    case.owner.post(&case.path(""), &body).await.expect(201);
    case.owner.post(&case.path(""), &body).await.expect(409);
    // Each organisation has its own.
    let other = case.fixture.org("other", Plan::Free).await;
    let theirs = case.fixture.person(other, Role::Owner).await;
    theirs.post(&format!("/api/v2/orgs/{other}/webhook-endpoints"), &body).await.expect(201);
}
