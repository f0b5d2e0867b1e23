//! Answers as snapshots: status, the headers that matter, and the body, with what changes from run to run replaced.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::api::Answer;

/// Headers that are part of the contract.
const HEADERS: [&str; 6] =
    ["content-type", "location", "retry-after", "www-authenticate", "allow", "idempotency-replayed"];

/// The answer without what changes from run to run.
pub fn stable(answer: &Answer) -> Value {
    let mut headers = Map::new();
    for name in HEADERS {
        if answer.headers.contains_key(name) {
            headers.insert(name.to_owned(), json!(stable_text(answer.header(name))));
        }
    }
    json!({"status": answer.status.as_u16(), "headers": headers, "body": stable_value(&answer.body)})
}

fn stable_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(stable_text(text)),
        Value::Array(items) => items.iter().map(stable_value).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), stable_value(value))).collect(),
        other => other.clone(),
    }
}

fn stable_text(text: &str) -> String {
    // Base64 has slashes.
    if let Some(secret) = text.strip_prefix("whsec_") {
        return format!("whsec_[{} more]", secret.len());
    }
    if let Some(event) = text.strip_prefix("evt_") {
        return format!("evt_{}", stable_word(event));
    }
    if text.contains('/') {
        return text.split('/').map(stable_word).collect::<Vec<_>>().join("/");
    }
    stable_word(text)
}

fn stable_word(word: &str) -> String {
    let key = ["pl_live_", "pl_test_"].into_iter().find(|prefix| word.starts_with(prefix) && word.len() >= 16);
    if word.parse::<Uuid>().is_ok() {
        "[id]".to_owned()
    } else if chrono::DateTime::parse_from_rfc3339(word).is_ok() {
        "[time]".to_owned()
    } else if let Some(prefix) = key {
        format!("{prefix}[{} more]", word.len() - prefix.len())
    } else {
        word.to_owned()
    }
}

/// Compares an answer with its snapshot.
macro_rules! assert_answer {
    ($answer:expr) => {
        insta::assert_json_snapshot!(crate::api::snapshot::stable(&$answer))
    };
}
pub(super) use assert_answer;
