//! How often.

use futures::future::join_all;
use jobs::domain::{Plan, Role};
use reqwest::Method;
use serde_json::json;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn a_key_of_the_free_plan_has_a_hundred_requests_at_once_on_all_connections_together() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    let path = format!("/api/v2/orgs/{org}");
    let first = caller.get(&path).await;
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("100", "99"));
    assert_eq!((first.header("x-ratelimit-remaining"), first.header("ratelimit-reset")), ("99", "1"));
    let answers = join_all((0..130).map(|_| caller.get(&path))).await;
    let good = answers.iter().filter(|answer| answer.status.is_success()).count();
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status.as_u16() == 429).collect();
    assert_eq!(good + refused.len(), 130);
    // The bucket fills at 1.67 a second meanwhile.
    assert!((99..=125).contains(&good), "{good} were served");
    let last = refused.last().unwrap();
    assert_eq!(last.header("ratelimit-remaining"), "0");
    assert_answer!(last);
    // Another caller of the organisation has a bucket of its own.
    fixture.person(org, Role::Viewer).await.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_larger_plan_has_more() {
    let fixture = Fixture::new().await;
    for (plan, limit) in [(Plan::Team, "600"), (Plan::Enterprise, "3000")] {
        let org = fixture.org(plan.as_str(), plan).await;
        let caller = fixture.caller(org, Role::Viewer).await;
        assert_eq!(caller.get(&format!("/api/v2/orgs/{org}")).await.header("ratelimit-limit"), limit);
    }
}

#[tokio::test]
async fn nobody_makes_more_than_ten_keys_an_hour() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}/api-keys");
    for _ in 0..10 {
        person.post(&path, &json!({"name": "one of many"})).await.expect(201);
    }
    let refused = person.post(&path, &json!({"name": "one too many"})).await;
    assert_eq!(refused.body["error_class"], "rate_limited");
    // They tell of the bucket that refused, not of the one for requests, which has room.
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("10", "0"));
    let (reset, retry) = (refused.header("ratelimit-reset"), refused.header("retry-after"));
    assert!(reset.parse::<u32>().unwrap() > 3_000 && retry.parse::<u32>().unwrap() > 300, "{reset} {retry}");
    refused.expect(429);
}

#[tokio::test]
async fn an_address_that_guesses_is_stopped_and_good_credentials_behind_it_are_not() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let good = fixture.caller(org, Role::Viewer).await;
    let person = fixture.person(org, Role::Viewer).await;
    let guesser = fixture.api.with_key("pl_live_not-a-key-at-all-but-long-enough");
    let answers = join_all((0..330).map(|_| guesser.get("/api/v2/me"))).await;
    assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status.as_u16())));
    let stopped = answers.iter().find(|answer| answer.status.as_u16() == 429).expect("a refusal");
    assert_eq!(stopped.body["error_class"], "rate_limited");
    assert_eq!((stopped.header("ratelimit-limit"), stopped.header("ratelimit-remaining")), ("300", "0"));
    assert_ne!(stopped.header("retry-after"), "");
    good.get("/api/v2/me").await.expect(200);
    person.get("/api/v2/me").await.expect(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_refusals_of_its_own() {
    let fixture = Fixture::with(|command| command.env("PLUMBLINE_TRUSTED_PROXIES", "127.0.0.0/8")).await;
    let guess = async |from: &str| {
        let request = fixture.api.request(Method::GET, "/api/v2/me").header("x-forwarded-for", from);
        fixture.api.send(request).await.status.as_u16()
    };
    let answers = join_all((0..330).map(|_| guess("192.0.2.1, 198.51.100.1"))).await;
    assert!(answers.contains(&429));
    assert_eq!(guess("192.0.2.1, 198.51.100.2").await, 401);
}
