//! Random signed messages, for the libraries of other languages to verify. Shared by a test and by `jobs/examples/sign.rs`.

use chrono::Utc;
use jobs::ids::EventId;
use jobs::webhooks::secret::Secret;
use jobs::webhooks::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, message_id, sign};
use rand::RngExt as _;
use serde_json::{Value, json};

/// A message of now with a body of any characters, signed with one secret or, every second time, with two.
fn random(number: usize) -> Value {
    let mut rng = rand::rng();
    let secrets: Vec<Secret> = (0..=number % 2).map(|_| Secret::generate()).collect();
    let (id, timestamp) = (message_id(EventId::new()), Utc::now().timestamp());
    let length = rng.random_range(0..2_000);
    let body: String = (0..length).map(|_| rng.random::<char>()).collect();
    let signature = sign(&secrets.iter().collect::<Vec<_>>(), &id, timestamp, body.as_bytes());
    json!({
        "secrets": secrets.iter().map(Secret::reveal).collect::<Vec<_>>(),
        "headers": {ID_HEADER: id, TIMESTAMP_HEADER: timestamp.to_string(), SIGNATURE_HEADER: signature},
        "body": body,
    })
}

/// So many of them, one JSON object a line.
pub fn lines(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|number| random(number).to_string()).collect();
    lines.join("\n") + "\n"
}
