//! `GET /me`

use jobs::domain::{Plan, Role};

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn a_key_learns_what_it_may_do() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    assert_answer!(fixture.caller(org, Role::Member).await.get("/api/v2/me").await);
}

#[tokio::test]
async fn a_person_learns_their_organisations() {
    let fixture = Fixture::new().await;
    let acme = fixture.org("acme", Plan::Team).await;
    let other = fixture.org("other", Plan::Free).await;
    fixture.token(other, "owner@example.com", Role::Viewer).await;
    assert_answer!(fixture.person(acme, Role::Owner).await.get("/api/v2/me").await);
}

#[tokio::test]
async fn nobody_is_told_to_sign_in() {
    let fixture = Fixture::new().await;
    assert_answer!(fixture.api.get("/api/v2/me").await);
}
