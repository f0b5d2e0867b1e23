//! `POST /orgs/{id}/webhook-endpoints/{endpoint_id}/rotate-secret`

use jobs::crypto::Keyring;
use jobs::ids::WebhookEndpointId;
use jobs::webhooks::sealed::{Place, Slot, open_secret};
use reqwest::Method;
use serde_json::{Value, json};

use super::Case;
use crate::api::snapshot::assert_answer;
use crate::support::process::MASTER_KEY;

/// The secrets as whoever signs finds them: the present one, and the one before it.
async fn stored(case: &Case, endpoint: &Value) -> (String, Option<String>) {
    let id: uuid::Uuid = endpoint["id"].as_str().unwrap().parse().unwrap();
    let query = "SELECT secret, CASE WHEN previous_secret_expires_at > now() THEN previous_secret END
                   FROM webhook_endpoint WHERE id = $1";
    let (secret, previous): (Vec<u8>, Option<Vec<u8>>) =
        sqlx::query_as(query).bind(id).fetch_one(&case.fixture.db.pool).await.unwrap();
    let keyring = Keyring::parse(MASTER_KEY, None).unwrap();
    let place = Place { org_id: case.org, endpoint_id: WebhookEndpointId(id) };
    let open = |slot, sealed: Vec<u8>| open_secret(&keyring, place, slot, &sealed).unwrap().reveal();
    (open(Slot::Current, secret), previous.map(|sealed| open(Slot::Previous, sealed)))
}

fn raw(answer: &Value) -> String {
    answer["raw_secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn both_secrets_sign_for_a_day() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/rotate-secret");
    // Without a body.
    let rotated = case.owner.send(case.owner.request(Method::POST, &path)).await;
    assert_answer!(rotated);
    assert_ne!(raw(&rotated.body), raw(&endpoint));
    assert_eq!(stored(&case, &endpoint).await, (raw(&rotated.body), Some(raw(&endpoint))));
    let shown = case.owner.get(&case.of(&endpoint, "")).await.expect(200);
    assert_eq!(shown["secret_prefix"], raw(&rotated.body)[..12]);
    let ends = shown["previous_secret_expires_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let left = ends - chrono::Utc::now();
    assert!(left.num_minutes() > 23 * 60 && left.num_minutes() <= 24 * 60, "{left}");
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created", "webhook_endpoint.secret_rotated"]);
}

#[tokio::test]
async fn a_second_one_waits_for_the_grace_to_end_unless_it_ends_it() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/rotate-secret");
    case.owner.post(&path, &json!({"grace_hours": 168})).await.expect(200);
    let refused = case.owner.post(&path, &json!({})).await.expect(409);
    assert_eq!(refused["error_class"], "rotation_in_grace");
    let at_once = case.owner.post(&path, &json!({"grace_hours": 0})).await.expect(200);
    assert_eq!(at_once["previous_secret_expires_at"], json!(null));
    assert_eq!(stored(&case, &endpoint).await, (raw(&at_once), None));
    // Once the grace is over, there may be another.
    case.owner.post(&path, &json!({"grace_hours": 1})).await.expect(200);
    case.sql("UPDATE webhook_endpoint SET previous_secret_expires_at = now() WHERE id = $1", &endpoint["id"]).await;
    case.owner.post(&path, &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_secret() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/rotate-secret");
    let request = || case.owner.request(Method::POST, &path).header("Idempotency-Key", "once");
    let first = case.owner.send(request()).await.expect(200);
    assert_eq!(raw(&case.owner.send(request()).await.expect(200)), raw(&first));
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let case = Case::new().await;
    let endpoint = case.endpoint(json!({})).await;
    let path = case.of(&endpoint, "/rotate-secret");
    for (body, status) in [
        (json!({"grace_hours": 169}), 422),
        (json!({"grace_hours": -1}), 422),
        (json!({"grace_hours": 1_i64 << 40}), 422),
        (json!({"grace_hours": 1.5}), 400),
    ] {
        assert_eq!(case.owner.post(&path, &body).await.expect(status)["field"], "grace_hours", "{body}");
    }
    for (caller, class) in case.refused().await {
        assert_eq!(caller.post(&path, &json!({})).await.body["error_class"], class);
    }
    assert_eq!(stored(&case, &endpoint).await, (raw(&endpoint), None));
    assert_eq!(case.fixture.audited(case.org).await, ["webhook_endpoint.created"]);
}
