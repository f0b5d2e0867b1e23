//! `POST /orgs/{id}/webhook-endpoints`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jobs::domain::{Plan, Role};
use jobs::ids::CloudAccountId;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Case, PUBLIC};
use crate::api::snapshot::assert_answer;

#[tokio::test]
async fn the_secret_is_shown_once_and_stored_sealed() {
    let case = Case::new().await;
    let body = json!({
        "url": format!("https://{PUBLIC}/in?team=a"), "events": ["drift.*", "scan.failed", "drift.*"], "description": "on call",
        "headers": {"Authorization": "Bearer very-secret-header"}, "max_in_flight": 3, "rate_per_second": 0.5,
    });
    let created = case.owner.post(&case.path(""), &body).await;
    assert_answer!(created);
    let raw = created.body["raw_secret"].as_str().unwrap();
    assert_eq!((raw.len(), &created.body["secret_prefix"]), (50, &json!(raw[..12])));
    let shown = case.owner.get(created.header("location")).await.expect(200);
    assert_eq!(shown.get("raw_secret"), None);
    let listed = case.owner.get(&case.path("")).await.expect(200).to_string();
    assert!(!listed.contains(&raw[12..]) && !listed.contains("very-secret"), "{listed}");
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created"]);
    assert_eq!(case.limit(&created.body).await, (3, Some(0.5)));

    let mut stored = String::new();
    for table in ["webhook_endpoint", "audit_event", "group_limit", "idempotency_key"] {
        let rows = sqlx::AssertSqlSafe(format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t"));
        stored += &sqlx::query_scalar::<_, String>(rows).fetch_one(&case.fixture.db.pool).await.unwrap();
    }
    let bytes = STANDARD.decode(&raw[6..]).unwrap();
    for secret in [&raw[6..], "very-secret-header", &hex(&bytes), &hex(raw.as_bytes()), &hex(b"very-secret-header")] {
        assert!(!stored.contains(secret), "{secret} is stored in clear");
    }
    assert!(!audit_has(&case, "team=a").await, "a query may hold a credential");
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

async fn audit_has(case: &Case, text: &str) -> bool {
    let query = "SELECT EXISTS (SELECT FROM audit_event WHERE details::text LIKE '%' || $1 || '%')";
    sqlx::query_scalar(query).bind(text).fetch_one(&case.fixture.db.pool).await.unwrap()
}

#[tokio::test]
async fn without_more_than_a_url_and_events_it_has_the_usual_limits() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    for (field, value) in [
        ("description", json!("")),
        ("cloud_account_ids", json!([])),
        ("header_names", json!([])),
        ("max_in_flight", json!(10)),
        ("rate_per_second", json!(null)),
        ("active", json!(true)),
        ("consecutive_failures", json!(0)),
    ] {
        assert_eq!(endpoint[field], value, "{field}");
    }
    assert_eq!(case.limit(&endpoint).await, (10, None));
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_secret_and_makes_nothing() {
    let case = Case::new().await;
    let body = json!({"url": format!("https://{PUBLIC}/"), "events": ["test.ping"]});
    let request = || case.owner.request(Method::POST, &case.path("")).header("Idempotency-Key", "once").json(&body);
    let first = case.owner.send(request()).await;
    let asked = case.dns.asked(PUBLIC);
    let second = case.owner.send(request()).await;
    assert_eq!((second.status, &second.body), (first.status, &first.body));
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(case.dns.asked(PUBLIC), asked, "no name is looked up for it");
    assert_eq!(case.owner.get(&case.path("")).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let case = Case::new().await;
    let body = json!({
        "url": "http://user:pass@10.0.0.1:22/#x", "events": ["scan.exploded"], "description": "x".repeat(501),
        "headers": {"Host": "evil"}, "cloud_account_ids": ["all"], "max_in_flight": 101, "rate_per_second": 0,
    });
    assert_answer!(case.owner.post(&case.path(""), &body).await);
    assert_eq!(case.owner.get(&case.path("")).await.expect(200)["total"], 0);
    assert!(case.fixture.audited(case.org).await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_names_its_field() {
    let case = Case::new().await;
    let many: Vec<CloudAccountId> = (0..101).map(|_| CloudAccountId::new()).collect();
    for (change, status, field) in [
        (json!({"events": []}), 422, "events"),
        (json!({"events": ["*"]}), 422, "events"),
        (json!({"events": ["drift.changed"]}), 422, "events"),
        (json!({"events": "drift.*"}), 400, "events"),
        (json!({"events": [1]}), 400, "events[0]"),
        (json!({"headers": {"X-A": "a\nWebhook-Id: 1"}}), 422, "headers.X-A"),
        (json!({"headers": {"Content-Length": "1"}}), 422, "headers.Content-Length"),
        (json!({"headers": {"webhook-id": "1"}}), 422, "headers.webhook-id"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), 422, "headers.x-a"),
        (json!({"headers": {"a b": "1"}}), 422, "headers.a b"),
        (json!({"headers": {"X-A": 1}}), 400, "headers.X-A"),
        (json!({"cloud_account_ids": ["1"]}), 422, "cloud_account_ids[0]"),
        (json!({"cloud_account_ids": many}), 422, "cloud_account_ids"),
        (json!({"cloud_account_ids": many[..1]}), 422, "cloud_account_ids"),
        (json!({"max_in_flight": 0}), 422, "max_in_flight"),
        (json!({"max_in_flight": 1.5}), 400, "max_in_flight"),
        (json!({"max_in_flight": 1_i64 << 40}), 422, "max_in_flight"),
        (json!({"rate_per_second": 1000.1}), 422, "rate_per_second"),
        (json!({"rate_per_second": 0.01}), 422, "rate_per_second"),
        (json!({"description": "nul\u{0}nul"}), 422, ""),
        (json!({"secret": "whsec_of_my_own"}), 400, "secret"),
        (json!({"url": null}), 400, "url"),
    ] {
        let mut body = json!({"url": format!("https://{PUBLIC}/"), "events": ["drift.*"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = case.owner.post(&case.path(""), &body).await;
        assert_eq!(answer.body["field"].as_str().unwrap_or_default(), field, "{change}: {}", answer.body);
        answer.expect(status);
    }
    assert_eq!(case.owner.get(&case.path("")).await.expect(200)["total"], 0);
}

/// An account of an organisation.
async fn account(case: &Case, org: jobs::ids::OrgId) -> Value {
    let new = jobs::db::cloud_account::NewCloudAccount {
        id: CloudAccountId::new(),
        org_id: org,
        provider: jobs::domain::Provider::Aws,
        external_account_id: "123456789012",
        display_name: "production",
        credential_type: jobs::domain::CredentialType::AccessKey,
        credential: b"sealed",
        default_region: "us-east-1",
    };
    let mut conn = case.fixture.db.pool.acquire().await.unwrap();
    json!(jobs::db::cloud_account::insert(&mut conn, &new).await.unwrap().id)
}

#[tokio::test]
async fn it_may_name_accounts_of_its_own_organisation_and_no_others() {
    let case = Case::new().await;
    let theirs = case.fixture.org("theirs", Plan::Team).await;
    let (own, foreign) = (account(&case, case.org).await, account(&case, theirs).await);
    let endpoint = case.endpoint(json!({"cloud_account_ids": [own, own]})).await;
    assert_eq!(endpoint["cloud_account_ids"], json!([own]));
    let body = json!({
        "url": format!("https://{PUBLIC}/"), "events": ["drift.*"], "cloud_account_ids": [own, foreign],
    });
    let refused = case.owner.post(&case.path(""), &body).await.expect(422);
    assert_eq!(refused["field"], "cloud_account_ids");
    assert!(refused["error"].as_str().unwrap().contains(foreign.as_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn it_takes_a_person_who_is_an_admin() {
    let case = Case::new().await;
    let body = json!({"url": format!("https://{PUBLIC}/"), "events": ["drift.*"]});
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&case.path(""), &body).await.body["error_class"], class);
    }
    case.fixture.person(case.org, Role::Admin).await.post(&case.path(""), &body).await.expect(201);
}
