//! How a message is signed, so that any library of Standard Webhooks verifies it: HMAC-SHA256 over `id.timestamp.body`, once
//! for each secret while they are being rotated.
//!
//! Source: <https://www.standardwebhooks.com>, "Signature scheme" and "Webhook headers".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secret::Secret;
use crate::crypto::mac;
use crate::ids::EventId;

/// The header with the id of the message, the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";

/// The header with the time of this attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The id under which an event is sent: the same to every endpoint, at every attempt and every replay. It has no full stop,
/// which separates the parts that are signed.
#[must_use]
pub fn message_id(event: EventId) -> String {
    format!("evt_{event}")
}

/// The value of [`SIGNATURE_HEADER`]: `v1,<base64>` by each secret in turn, separated by spaces.
#[must_use]
pub fn sign(secrets: &[&Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures = secrets.iter().map(|secret| format!("v1,{}", STANDARD.encode(mac::of(secret.bytes(), &parts))));
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    use chrono::Utc;
    use http::{HeaderMap, HeaderValue};
    use rand::RngExt as _;
    use standardwebhooks::{Webhook, WebhookError};

    /// The first is the specification's own, the second that of Svix, whose scheme became the standard.
    #[test]
    fn the_known_messages_have_the_known_signatures() {
        for (secret, id, timestamp, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secret = Secret::parse(secret).unwrap();
            assert_eq!(sign(&[&secret], id, timestamp, body.as_bytes()), signature);
        }
    }

    /// Text of any characters: the library takes nothing else.
    fn random_text(rng: &mut impl rand::Rng) -> String {
        let length = rng.random_range(0..2_000);
        (0..length).map(|_| rng.random::<char>()).collect()
    }

    fn headers(id: &str, timestamp: i64, signature: &str) -> HeaderMap {
        [
            (ID_HEADER, id.to_owned()),
            (TIMESTAMP_HEADER, timestamp.to_string()),
            (SIGNATURE_HEADER, signature.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(&value).unwrap()))
        .collect()
    }

    #[test]
    fn the_rust_library_verifies_a_thousand_messages_with_each_of_their_secrets() {
        let mut rng = rand::rng();
        for round in 0..1_000 {
            let secrets: Vec<Secret> = (0..=round % 2).map(|_| Secret::generate()).collect();
            let (id, timestamp) = (message_id(EventId::new()), Utc::now().timestamp());
            let body = random_text(&mut rng);
            let signature = sign(&secrets.iter().collect::<Vec<_>>(), &id, timestamp, body.as_bytes());
            let headers = headers(&id, timestamp, &signature);
            for secret in &secrets {
                let webhook = Webhook::new(&secret.reveal()).unwrap();
                webhook.verify(body.as_bytes(), &headers).unwrap();
                let changed = webhook.verify(format!("{body} ").as_bytes(), &headers);
                assert!(matches!(changed, Err(WebhookError::InvalidSignature)));
            }
            let stranger = Webhook::new(&Secret::generate().reveal()).unwrap();
            assert!(matches!(stranger.verify(body.as_bytes(), &headers), Err(WebhookError::InvalidSignature)));
        }
    }
}
