//! Which URLs an endpoint may have, by their text and by where their names lead.

use serde_json::{Value, json};

use super::{Case, LATE, PUBLIC};
use crate::support::api::Answer;

async fn save(case: &Case, url: &str) -> Answer {
    case.owner.post(&case.path(""), &json!({"url": url, "events": ["drift.*"]})).await
}

#[track_caller]
fn refused(answer: Answer, says: &str) {
    let body = answer.expect(422);
    assert_eq!(body["field"], "url", "{body}");
    assert!(body["error"].as_str().unwrap().contains(says), "{says:?} is not said: {body}");
}

#[tokio::test]
async fn what_no_url_of_an_endpoint_is_needs_no_lookup() {
    let case = Case::new().await;
    for (url, says) in [
        ("http://hooks.example.com/", "use https"),
        ("http://localhost/", "use https"),
        ("ftp://hooks.example.com/", "scheme"),
        ("https://ada@hooks.example.com/", "a user or a password"),
        ("https://ada:pw@hooks.example.com/", "a user or a password"),
        ("https://hooks.example.com/#top", "fragment"),
        ("https://hooks.example.com:22/", "port 22"),
        ("https://hooks.example.com:5432/", "port 5432"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://127.1/", "127.0.0.1"),
        ("https://0x7f.0.0.1/", "127.0.0.1"),
        ("https://0177.0.0.1/", "127.0.0.1"),
        ("https://2130706433/", "127.0.0.1"),
        ("https://１２７.０.０.１/", "127.0.0.1"),
        ("https://127。0。0。1/", "127.0.0.1"),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[::1]/", "::1"),
        ("https://[::ffff:127.0.0.1]/", "use a name"),
        ("https://[64:ff9b::7f00:1]/", "use a name"),
        ("https://[fd00:ec2::254]/", "use a name"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("https://hooks.example.com/a b", "blanks"),
        ("https://hooks.example.com/\u{0}", "blanks"),
        ("hooks.example.com", "cannot be read"),
        ("https://", "cannot be read"),
        ("", "cannot be read"),
    ] {
        refused(save(&case, url).await, says);
    }
    refused(save(&case, &format!("https://{PUBLIC}/{}", "x".repeat(2_000))).await, "1024");
    assert_eq!(case.dns.asked(PUBLIC), 0, "nobody was asked");
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_refused() {
    let case = Case::new().await;
    case.dns.set("empty.example.com", &[]);
    case.dns.silence("silent.example.com");
    refused(save(&case, "https://nowhere.example.com/").await, "has no address");
    refused(save(&case, "https://empty.example.com/").await, "has no address");
    refused(save(&case, "https://silent.example.com/").await, "could not be looked up");
    assert!(case.fixture.audited(case.org).await.is_empty());
}

#[tokio::test]
async fn every_address_of_a_name_must_be_public() {
    let case = Case::new().await;
    case.dns.set("inside.example.com", &["10.0.0.7"]);
    case.dns.set("both.example.com", &["93.184.215.14", "192.168.1.1"]);
    case.dns.set("families.example.com", &["93.184.215.14", "::ffff:127.0.0.1"]);
    case.dns.set("metadata.example.com", &["169.254.169.254"]);
    for name in ["inside.example.com", "both.example.com", "families.example.com", "metadata.example.com", "localhost"]
    {
        let answer = save(&case, &format!("https://{name}/")).await;
        assert!(!answer.body.to_string().contains("192.168"), "it tells nothing of our network: {}", answer.body);
        refused(answer, "not public");
    }
    save(&case, &format!("https://{PUBLIC}:8443/")).await.expect(201);
}

#[tokio::test]
async fn networks_that_an_operator_allows_may_be_called() {
    // "localhost" is both addresses of this machine, whatever name servers say (RFC 6761).
    let case = Case::allowing("127.0.0.0/8, ::1, 10.1.0.0/16").await;
    case.dns.set("inside.example.com", &["10.1.2.3"]);
    case.dns.set("next.example.com", &["10.2.0.1"]);
    for url in
        ["http://127.0.0.1:8080/in", "http://localhost:8080/in", "https://10.1.2.3/", "https://inside.example.com/"]
    {
        save(&case, url).await.expect(201);
    }
    refused(save(&case, "https://next.example.com/").await, "not public");
    refused(save(&case, "https://10.2.0.1/").await, "10.2.0.1");
    refused(save(&case, "http://inside.example.com/").await, "use https");
    refused(save(&case, "http://10.1.2.3/").await, "use https");
}

#[tokio::test]
async fn a_url_is_stored_as_it_will_be_called() {
    let case = Case::new().await;
    let saved = save(&case, "HTTPS://Hooks.Example.COM:443/a/../b").await.expect(201);
    assert_eq!(saved["url"], "https://hooks.example.com/b");
}

#[tokio::test]
async fn a_change_looks_up_only_what_is_new() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let asked = case.dns.asked(PUBLIC);
    // The name moves inside. Whoever does not touch the URL is not held up by that; deliveries are.
    case.dns.set(PUBLIC, &["10.0.0.7"]);
    let same = json!({"url": format!("https://{PUBLIC}/in"), "description": "the same"});
    case.owner.patch(&case.of(&endpoint, ""), &same).await.expect(200);
    assert_eq!(case.dns.asked(PUBLIC), asked);
    let inside: Value = json!({"url": format!("https://{PUBLIC}/other")});
    refused(case.owner.patch(&case.of(&endpoint, ""), &inside).await, "not public");
    let moved = case.owner.patch(&case.of(&endpoint, ""), &json!({"url": format!("https://{LATE}/in")})).await;
    assert_eq!(moved.expect(200)["url"], format!("https://{LATE}/in"));
}
