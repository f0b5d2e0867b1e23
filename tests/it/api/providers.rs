//! `GET /providers`

use jobs::domain::{Plan, Role};

use super::fixture::Fixture;

#[tokio::test]
async fn the_clouds_are_listed_with_what_can_be_read() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let body = fixture.caller(org, Role::Viewer).await.get("/api/v2/providers").await.expect(200);
    let supported = |id: &str| {
        let providers = body["providers"].as_array().unwrap();
        providers.iter().find(|provider| provider["id"] == id).unwrap()["supported"].clone()
    };
    assert_eq!(supported("aws"), true);
    assert_eq!(supported("gcp"), false);
    assert_eq!(supported("azure"), false);
    fixture.api.get("/api/v2/providers").await.expect(401);
}
