//! `GET /orgs/{id}/api-keys/{key_id}`

use jobs::domain::{Plan, Role, Scope};
use jobs::ids::ApiKeyId;

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn a_key_shows_everything_but_its_secret() {
    let case = Case::new().await;
    assert_answer!(case.owner.get(&case.path("")).await);
}

#[tokio::test]
async fn what_is_not_there_or_not_ours_is_absent() {
    let case = Case::new().await;
    let other = case.fixture.org("other", Plan::Team).await;
    let theirs = case.fixture.key(other, Role::Viewer, &[Scope::Read]).await;
    for id in [theirs.id.to_string(), ApiKeyId::new().to_string(), "7".to_owned(), "%FF".to_owned()] {
        let answer = case.owner.get(&format!("/api/v2/orgs/{}/api-keys/{id}", case.org)).await;
        assert_eq!(answer.expect(404)["error_class"], "not_found", "{id}");
    }
}
