//! `PATCH /orgs/{id}/api-keys/{key_id}`

use reqwest::Method;
use serde_json::{Value, json};

use super::Case;
use crate::api::snapshot::assert_answer;
use crate::support::Api;
use crate::support::api::Answer;

async fn patch(api: &Api, path: &str, body: &Value) -> Answer {
    api.send(api.request(Method::PATCH, path).json(body)).await
}

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let case = Case::new().await;
    let path = case.path("");
    assert_answer!(
        patch(&case.owner, &path, &json!({"name": "renamed", "role": "viewer", "description": "why"})).await
    );
    let cleared = patch(&case.owner, &path, &json!({"description": ""})).await.expect(200);
    assert_eq!((&cleared["description"], &cleared["name"]), (&json!(null), &json!("renamed")));
    assert_eq!(case.fixture.audited(case.org).await, ["api_key.updated", "api_key.updated"]);
}

#[tokio::test]
async fn a_change_of_nothing_leaves_no_trace() {
    let case = Case::new().await;
    patch(&case.owner, &case.path(""), &json!({"name": "fixture", "role": "member"})).await.expect(200);
    assert!(case.fixture.audited(case.org).await.is_empty());
}

#[tokio::test]
async fn a_lesser_role_is_felt_at_once() {
    let case = Case::new().await;
    patch(&case.owner, &case.path(""), &json!({"role": "viewer"})).await.expect(200);
    let me = case.fixture.api.with_key(&case.key.raw).get("/api/v2/me").await.expect(200);
    assert_eq!(me["api_key"]["role"], "viewer");
}

#[tokio::test]
async fn others_do_not_and_a_key_is_never_an_owner() {
    let case = Case::new().await;
    for (caller, class) in case.refused().await {
        assert_eq!(patch(&caller, &case.path(""), &json!({"name": "stolen"})).await.body["error_class"], class);
    }
    assert_eq!(patch(&case.owner, &case.path(""), &json!({"role": "owner"})).await.expect(422)["field"], "role");
    assert_eq!(
        patch(&case.owner, &case.path(""), &json!({"expires_at": null})).await.expect(400)["field"],
        "expires_at"
    );
    assert!(case.fixture.audited(case.org).await.is_empty());
}
