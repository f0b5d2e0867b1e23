//! `GET /orgs/{id}/api-keys`

use jobs::domain::{Plan, Role, Scope};

use super::Case;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn keys_are_listed_without_their_secrets_the_revoked_ones_too() {
    let case = Case::new().await;
    case.owner.delete(&case.path("")).await.expect(204);
    let listed = case.owner.get(&format!("/api/v2/orgs/{}/api-keys", case.org)).await;
    assert!(!listed.body.to_string().contains(&case.key.raw));
    assert_answer!(listed);
}

#[tokio::test]
async fn another_organisations_keys_are_not_listed() {
    let case = Case::new().await;
    let other = case.fixture.org("other", Plan::Team).await;
    let theirs = case.fixture.key(other, Role::Viewer, &[Scope::Read]).await;
    let listed = case.owner.get(&format!("/api/v2/orgs/{}/api-keys", case.org)).await.expect(200);
    assert!(!listed.to_string().contains(&theirs.id.to_string()));
    let foreign = case.owner.get(&format!("/api/v2/orgs/{other}/api-keys")).await;
    foreign.expect(404);
}
