//! `limit`, `offset` and `total`, on a list that is easily filled.

use jobs::domain::{Plan, Role, Scope};

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn pages_together_are_the_whole_list_once() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    for _ in 0..6 {
        fixture.key(org, Role::Viewer, &[Scope::Read]).await;
    }
    let mut seen = Vec::new();
    for offset in [0, 3, 6, 9] {
        let page = caller.get(&format!("/api/v2/orgs/{org}/api-keys?limit=3&offset={offset}")).await.expect(200);
        assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&7.into(), &3.into(), &offset.into()));
        seen.extend(page["api_keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 7);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7, "no row twice");
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("page=2", "page"),
        ("limit=1&%00=x", "\0"),
    ] {
        let answer = caller.get(&format!("/api/v2/orgs/{org}/api-keys?{query}")).await;
        assert_eq!(answer.body["error_class"], "invalid_parameter", "{query}");
        assert_eq!(answer.body["field"], field, "{query}");
        answer.expect(400);
    }
    assert_answer!(caller.get(&format!("/api/v2/orgs/{org}/api-keys?limit=501")).await);
}
