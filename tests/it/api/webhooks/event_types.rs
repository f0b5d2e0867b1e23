//! `GET /webhook-event-types`

use jobs::domain::{Plan, Role, Scope};
use jobs::events::EventType;

use crate::api::fixture::Fixture;
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn any_credential_reads_the_catalogue() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let reader = fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    let catalogue = fixture.api.with_key(&reader.raw).get("/api/v2/webhook-event-types").await;
    let types = catalogue.body["event_types"].as_array().unwrap();
    let names: Vec<&str> = types.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(names, EventType::WORDS);
    for entry in types {
        assert_eq!(entry["example"]["type"], entry["type"]);
        assert_eq!(entry["schema"]["properties"]["type"]["const"], entry["type"]);
        assert!(entry["description"].as_str().unwrap().ends_with('.'));
    }
    fixture.person(org, Role::Member).await.get("/api/v2/webhook-event-types").await.expect(200);
    assert_answer!(fixture.api.get("/api/v2/webhook-event-types").await);
}
