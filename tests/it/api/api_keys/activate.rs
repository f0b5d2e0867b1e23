//! `POST /orgs/{id}/api-keys/{key_id}/activate`

use serde_json::json;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_revoked_key_comes_back() {
    let case = Case::new().await;
    case.owner.delete(&case.path("")).await.expect(204);
    assert_answer!(case.owner.post(&case.path("/activate"), &json!({})).await);
    assert_eq!(case.works().await, "200");
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.revoked", "api_key.activated"]);
}

#[tokio::test]
async fn what_has_ended_or_never_was_revoked_does_not() {
    let case = Case::new().await;
    assert_eq!(
        case.owner.post(&case.path("/activate"), &json!({})).await.expect(409)["error_class"],
        "key_not_revoked"
    );
    case.owner.delete(&case.path("")).await.expect(204);
    case.fixture.sql("UPDATE api_key SET expires_at = now() - interval '1 second' WHERE id = $1", case.key.id).await;
    assert_eq!(case.owner.post(&case.path("/activate"), &json!({})).await.expect(409)["error_class"], "key_expired");
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path("/activate"), &json!({})).await.body["error_class"], class);
    }
}

#[tokio::test]
async fn a_key_that_comes_back_needs_a_place_in_the_plan() {
    let case = Case::new().await;
    case.owner.delete(&case.path("")).await.expect(204);
    sqlx::query("UPDATE org SET plan = 'free'").execute(&case.fixture.db.pool).await.unwrap();
    let path = format!("/api/v2/orgs/{}/api-keys", case.org);
    for name in ["one", "two"] {
        case.owner.post(&path, &json!({"name": format!("{name} of two")})).await.expect(201);
    }
    let refused = case.owner.post(&case.path("/activate"), &json!({})).await.expect(402);
    assert_eq!((&refused["limit"], &refused["used"], &refused["plan"]), (&json!(2), &json!(2), &json!("free")));
}
