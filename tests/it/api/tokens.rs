//! User tokens as credentials.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use jobs::db;
use jobs::domain::{Plan, Role};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::fixture::Fixture;
use super::issuer::{Issuer, SigningKey, now};
use super::snapshot::assert_answer;

/// The class with which a token is refused, or the status if it is not.
async fn class(fixture: &Fixture, token: &str) -> String {
    let answer = fixture.api.with_token(token).get("/api/v2/me").await;
    match answer.body["error_class"].as_str() {
        Some(class) => {
            assert_eq!(answer.status.as_u16(), 401, "{class}");
            class.to_owned()
        }
        None => answer.status.as_u16().to_string(),
    }
}

#[tokio::test]
async fn a_person_is_written_down_at_first_sight() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer(&issuer.url()).await;
    let caller = fixture.api.with_token(&key.sign(&issuer.claims(&json!({"name": "Pat"}))));
    assert_answer!(caller.get("/api/v2/me").await);
    let moved = key.sign(&issuer.claims(&json!({"email": "new@example.com"})));
    let me = fixture.api.with_token(&moved).get("/api/v2/me").await.expect(200);
    assert_eq!((&me["user"]["email"], &me["user"]["name"]), (&json!("new@example.com"), &json!("Pat")));
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM app_user").fetch_one(&fixture.db.pool).await.unwrap();
    assert_eq!(people, 1);
}

#[tokio::test]
async fn every_asymmetric_signature_is_taken() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = SigningKey::new("k1", algorithm);
        let issuer = Issuer::new(&[&key]).await;
        let fixture = Fixture::with_issuer(&issuer.url()).await;
        assert_eq!(class(&fixture, &key.sign(&issuer.claims(&json!({})))).await, "200", "{algorithm:?}");
    }
}

#[tokio::test]
async fn claims_that_do_not_hold_are_told_apart() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer(&issuer.url()).await;
    for (changes, expected) in [
        (json!({"exp": now() - 61}), "token_expired"),
        (json!({"exp": now() - 30}), "200"),
        (json!({"nbf": now() + 120}), "token_not_yet_valid"),
        (json!({"nbf": now() + 30}), "200"),
        (json!({"aud": "another"}), "token_wrong_audience"),
        (json!({"aud": ["another", "plumbline"]}), "200"),
        (json!({"iss": "https://elsewhere.example"}), "token_wrong_issuer"),
        (json!({"exp": null}), "token_malformed"),
        (json!({"aud": null}), "token_malformed"),
        (json!({"sub": null}), "token_malformed"),
        (json!({"sub": ""}), "token_malformed"),
        (json!({"email": null}), "token_without_email"),
        (json!({"email": "nobody"}), "token_without_email"),
        (json!({"email_verified": false}), "email_unverified"),
        (json!({"email_verified": null}), "email_unverified"),
        (json!({"email_verified": "true"}), "200"),
    ] {
        assert_eq!(class(&fixture, &key.sign(&issuer.claims(&changes))).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn an_issuer_that_never_says_verified_is_taken_at_the_operators_word() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer_and(&issuer.url(), &[("PLUMBLINE_OIDC_ASSUME_VERIFIED", "1")]).await;
    for (changes, expected) in [
        (json!({"email_verified": null}), "200"),
        (json!({"email_verified": false}), "email_unverified"),
        (json!({"email_verified": "false"}), "email_unverified"),
    ] {
        assert_eq!(class(&fixture, &key.sign(&issuer.claims(&changes))).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn only_people_of_allowed_domains_may_sign_in() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer_and(&issuer.url(), &[("PLUMBLINE_OIDC_EMAIL_DOMAINS", "example.com")]).await;
    assert_eq!(class(&fixture, &key.sign(&issuer.claims(&json!({})))).await, "200");
    let stranger = key.sign(&issuer.claims(&json!({"sub": "stranger", "email": "a@elsewhere.example"})));
    let refused = fixture.api.with_token(&stranger).get("/api/v2/me").await;
    assert_eq!(refused.body["error_class"], "email_domain_not_allowed");
    refused.expect(403);
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM app_user").fetch_one(&fixture.db.pool).await.unwrap();
    assert_eq!(people, 1, "a stranger is not written down");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer(&issuer.url()).await;
    let claims = issuer.claims(&json!({}));
    let good = key.sign(&claims);

    let same_id = SigningKey::new("k1", Algorithm::ES256).sign(&claims);
    assert_eq!(class(&fixture, &same_id).await, "token_signature_invalid");

    let changed = URL_SAFE_NO_PAD.encode(issuer.claims(&json!({"sub": "somebody else"})).to_string());
    let parts: Vec<&str> = good.split('.').collect();
    assert_eq!(class(&fixture, &format!("{}.{changed}.{}", parts[0], parts[2])).await, "token_signature_invalid");

    for alg in ["none", "None", "NONE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT", "kid": "k1"}).to_string());
        for signature in ["", parts[2]] {
            assert_eq!(
                class(&fixture, &format!("{header}.{}.{signature}", parts[1])).await,
                "token_algorithm_refused",
                "{alg}"
            );
        }
    }

    // The classic: the public key as an HMAC secret.
    let public = serde_json::to_vec(&key.jwk()).unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let confused = encode(&header, &claims, &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(class(&fixture, &confused).await, "token_algorithm_refused");

    // A key of one kind named with the algorithm of another.
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "k1"}).to_string());
    assert_eq!(class(&fixture, &format!("{header}.{}.{}", parts[1], parts[2])).await, "token_algorithm_refused");

    for garbage in ["a.b.c", "..", "eyJhbGciOiJFUzI1NiJ9..", "ümlaut.x.y"] {
        let request = fixture.api.request(reqwest::Method::GET, "/api/v2/me");
        let request = request.header("authorization", format!("Bearer {garbage}").into_bytes());
        let refused = fixture.api.send(request).await;
        assert_eq!(refused.status.as_u16(), 401, "{garbage}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_made_up_ones_hardly_ever() {
    let (old, new) = (SigningKey::new("k1", Algorithm::ES256), SigningKey::new("k2", Algorithm::EdDSA));
    let issuer = Issuer::new(&[&old]).await;
    let fixture = Fixture::with_issuer(&issuer.url()).await;
    let claims = issuer.claims(&json!({}));
    assert_eq!(class(&fixture, &old.sign(&claims)).await, "200");
    assert_eq!(issuer.fetches().await, 1);

    issuer.list(&[&new]);
    let rotated = new.sign(&claims);
    let answers = join_all((0..20).map(|_| class(&fixture, &rotated))).await;
    assert!(answers.iter().all(|answer| answer == "200"), "{answers:?}");
    assert_eq!(issuer.fetches().await, 2, "one fetch for all who waited");
    assert_eq!(class(&fixture, &old.sign(&claims)).await, "token_key_unknown");

    for _ in 0..20 {
        let made_up = SigningKey::new("made up", Algorithm::EdDSA).sign(&claims);
        assert_eq!(class(&fixture, &made_up).await, "token_key_unknown");
    }
    assert!(issuer.fetches().await <= 5, "{} fetches", issuer.fetches().await);
}

#[tokio::test]
async fn without_its_issuer_the_service_says_whose_fault_it_is() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let fixture = Fixture::with_issuer("http://127.0.0.1:9").await;
    let claims = json!({"iss": "http://127.0.0.1:9", "aud": "plumbline", "sub": "x", "exp": now() + 60});
    assert_answer!(fixture.api.with_token(&key.sign(&claims)).get("/api/v2/me").await);
}

#[tokio::test]
async fn a_person_who_was_switched_off_is_refused() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let token = fixture.token(org, "gone@example.com", Role::Owner).await;
    assert_eq!(class(&fixture, &token).await, "200");
    sqlx::query("UPDATE app_user SET disabled_at = now()").execute(&fixture.db.pool).await.unwrap();
    assert_eq!(class(&fixture, &token).await, "user_disabled");
}

#[tokio::test]
async fn a_membership_that_ended_is_felt_at_once() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let person = fixture.person(org, Role::Owner).await;
    let path = format!("/api/v2/orgs/{org}");
    person.get(&path).await.expect(200);
    sqlx::query("DELETE FROM membership").execute(&fixture.db.pool).await.unwrap();
    person.get(&path).await.expect(404);
}

#[tokio::test]
async fn tokens_of_the_built_in_issuer_are_worth_nothing_beside_a_real_one() {
    let key = SigningKey::new("k1", Algorithm::ES256);
    let issuer = Issuer::new(&[&key]).await;
    let fixture = Fixture::with_issuer(&issuer.url()).await;
    let org = fixture.org("acme", Plan::Free).await;
    let builtin = fixture.token(org, "owner@example.com", Role::Owner).await;
    assert_eq!(class(&fixture, &builtin).await, "token_algorithm_refused");
}

#[tokio::test]
async fn people_of_two_issuers_with_one_email_are_two() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    let seen = |issuer| db::user::Seen { issuer, subject: "1", email: "a@example.com", display_name: None };
    let one = db::user::upsert(&mut conn, &seen("https://one.example")).await.unwrap();
    let two = db::user::upsert(&mut conn, &seen("https://two.example")).await.unwrap();
    assert_ne!(one.id, two.id);
}
