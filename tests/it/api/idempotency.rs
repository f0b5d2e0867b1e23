//! `Idempotency-Key`, on the creation of an API key.

use futures::future::join_all;
use jobs::domain::{Plan, Role};
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::Fixture;
use super::snapshot::assert_answer;
use crate::support::Api;
use crate::support::api::Answer;

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    api.send(api.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

async fn keys(fixture: &Fixture) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM api_key WHERE name = 'once'").fetch_one(&fixture.db.pool).await.unwrap()
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    let body = json!({"name": "once"});
    let first = post(&person, &path, "k-1", &body).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let second = post(&person, &format!("{path}/"), "k-1", &body).await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!((first.status, &first.body), (second.status, &second.body), "the secret too");
    assert_eq!(keys(&fixture).await, 1);
    assert_eq!(fixture.audited(org).await, ["api_key.created"]);
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT body FROM idempotency_key").fetch_one(&fixture.db.pool).await.unwrap();
    let secret = first.body["raw_key"].as_str().unwrap();
    assert!(!stored.windows(16).any(|window| secret.as_bytes().starts_with(window)), "sealed at rest");
}

#[tokio::test]
async fn of_many_at_once_one_works_and_the_others_are_told() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    let body = json!({"name": "once"});
    let answers = join_all((0..12).map(|_| post(&person, &path, "k-1", &body))).await;
    let mut fresh = 0;
    for answer in &answers {
        match (answer.status.as_u16(), answer.header("idempotency-replayed")) {
            (201, "") => fresh += 1,
            (201, "true") => {}
            (409, _) => {
                assert_eq!(answer.body["error_class"], "idempotency_key_in_use");
                assert_eq!(answer.header("retry-after"), "1");
            }
            other => panic!("{other:?}: {}", answer.body),
        }
    }
    assert_eq!((fresh, keys(&fixture).await), (1, 1));
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    post(&person, &path, "k-1", &json!({"name": "once"})).await.expect(201);
    assert_answer!(post(&person, &path, "k-1", &json!({"name": "twice"})).await);
    // Somebody else's key of the same text is another key.
    let other = fixture.caller(org, Role::Admin).await;
    post(&other, &path, "k-1", &json!({"name": "twice", "role": "viewer"})).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_frees_its_key() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    for name in ["one", "two"] {
        person.post(&path, &json!({"name": format!("{name} of two")})).await.expect(201);
    }
    post(&person, &path, "k-1", &json!({"name": "once"})).await.expect(402);
    sqlx::query("UPDATE org SET plan = 'team'").execute(&fixture.db.pool).await.unwrap();
    post(&person, &path, "k-1", &json!({"name": "once"})).await.expect(201);
}

#[tokio::test]
async fn a_claim_whose_process_died_runs_out() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    let body = json!({"name": "once"});
    post(&person, &path, "k-1", &body).await.expect(201);
    let left = "UPDATE idempotency_key SET status = NULL, headers = NULL, body = NULL, locked_until = now() + ";
    let held = format!("{left} interval '1 minute'");
    sqlx::query(sqlx::AssertSqlSafe(held)).execute(&fixture.db.pool).await.unwrap();
    post(&person, &path, "k-1", &body).await.expect(409);
    let run_out = format!("{left} interval '-1 second'");
    sqlx::query(sqlx::AssertSqlSafe(run_out)).execute(&fixture.db.pool).await.unwrap();
    post(&person, &path, "k-1", &body).await.expect(201);
}

#[tokio::test]
async fn a_key_may_be_used_anew_after_a_day() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    post(&person, &path, "k-1", &json!({"name": "once"})).await.expect(201);
    sqlx::query("UPDATE idempotency_key SET expires_at = now()").execute(&fixture.db.pool).await.unwrap();
    post(&person, &path, "k-1", &json!({"name": "something else"})).await.expect(201);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Team).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    for bad in [String::new(), "x".repeat(256), "schlüssel".to_owned()] {
        let request = person.request(Method::POST, &path).header("Idempotency-Key", bad.clone().into_bytes());
        let answer = person.send(request.json(&json!({"name": "once"}))).await;
        assert_eq!(answer.expect(400)["field"], "Idempotency-Key", "{bad}");
    }
    post(&person, &path, &"x".repeat(255), &json!({"name": "once"})).await.expect(201);
}
