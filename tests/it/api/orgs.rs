//! `GET /orgs/{id}` and `POST /orgs`

use jobs::domain::{Plan, Role};
use jobs::ids::OrgId;
use reqwest::Method;
use serde_json::json;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn an_organisation_shows_its_plan_and_features() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    assert_answer!(fixture.caller(org, Role::Viewer).await.get(&format!("/api/v2/orgs/{org}")).await);
}

#[tokio::test]
async fn another_organisation_is_as_absent_as_none_at_all() {
    let fixture = Fixture::new().await;
    let (mine, theirs) = (fixture.org("mine", Plan::Team).await, fixture.org("theirs", Plan::Team).await);
    for caller in [fixture.caller(mine, Role::Admin).await, fixture.person(mine, Role::Owner).await] {
        let foreign = caller.get(&format!("/api/v2/orgs/{theirs}")).await;
        let absent = caller.get(&format!("/api/v2/orgs/{}", OrgId::new())).await;
        let malformed = caller.get("/api/v2/orgs/not-an-id").await;
        for answer in [&foreign, &absent, &malformed] {
            assert_eq!(answer.status.as_u16(), 404);
            assert_eq!(answer.body["error"], foreign.body["error"]);
            assert_eq!(answer.body["error_class"], "not_found");
        }
    }
}

#[tokio::test]
async fn a_person_creates_an_organisation_and_owns_it() {
    let fixture = Fixture::new().await;
    let home = fixture.org("home", Plan::Free).await;
    let person = fixture.person(home, Role::Viewer).await;
    let created = person.post("/api/v2/orgs", &json!({"slug": "acme", "display_name": "Acme"})).await;
    assert_answer!(created);
    let org: OrgId = created.body["id"].as_str().unwrap().parse().unwrap();
    person.get(created.header("location")).await.expect(200);
    assert_eq!(fixture.audited(org).await, ["org.created"]);
    let memberships = person.get("/api/v2/me").await.expect(200);
    assert_eq!(memberships["memberships"][0]["role"], "owner");
}

#[tokio::test]
async fn a_taken_slug_and_a_bad_one_name_their_field() {
    let fixture = Fixture::new().await;
    let home = fixture.org("home", Plan::Free).await;
    let person = fixture.person(home, Role::Viewer).await;
    assert_answer!(person.post("/api/v2/orgs", &json!({"slug": "home", "display_name": "Home"})).await);
    assert_answer!(person.post("/api/v2/orgs", &json!({"slug": "No Slug", "display_name": ""})).await);
}

#[tokio::test]
async fn keys_do_not_create_organisations_nor_does_who_names_one() {
    let fixture = Fixture::new().await;
    let home = fixture.org("home", Plan::Free).await;
    let body = json!({"slug": "acme", "display_name": "Acme"});
    let refused = fixture.caller(home, Role::Admin).await.post("/api/v2/orgs", &body).await;
    assert_eq!(refused.body["error_class"], "user_token_required");
    refused.expect(403);
    let person = fixture.person(home, Role::Owner).await;
    let named = person.request(Method::POST, "/api/v2/orgs").header("X-Org-ID", home.to_string()).json(&body);
    assert_eq!(person.send(named).await.expect(400)["field"], "X-Org-ID");
}
