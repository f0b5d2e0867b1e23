//! Secrets are compared by keyed hash: they are replaced when a state is parsed, so that nothing after that can store,
//! log or show them.
//!
//! What counts as a secret: every path in the state's `sensitive_attributes`, and attributes that the provider is known to
//! keep secrets in, whether or not the state marks them (states written by old versions mark nothing).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::normalise;

/// The key of the object that stands for a hashed value.
const MARKER: &str = "$sensitive";

/// Attributes that hold a secret wherever they appear. Source: the attributes marked `Sensitive` in hashicorp/aws 5.x, and the common
/// ones of other providers.
const SECRET_NAMES: &[&str] = &[
    "access_token",
    "admin_password",
    "auth_token",
    "bind_password",
    "certificate_private_key",
    "client_secret",
    "encrypted_password",
    "encrypted_secret",
    "encrypted_ses_smtp_password_v4",
    "github_token",
    "kms_secret",
    "master_password",
    "master_password_wo",
    "master_user_password",
    "oauth_token",
    "passphrase",
    "password",
    "password_data",
    "password_wo",
    "preshared_key",
    "private_key",
    "private_key_openssh",
    "private_key_pem",
    "secret_access_key",
    "secret_binary",
    "secret_key",
    "secret_string",
    "secret_string_wo",
    "ses_smtp_password_v4",
    "shared_secret",
    "tunnel1_preshared_key",
    "tunnel2_preshared_key",
];

/// Top-level attributes that hold a secret in one type only.
const SECRET_ATTRIBUTES: &[(&str, &str)] = &[
    ("aws_api_gateway_api_key", "value"),
    ("aws_appsync_api_key", "key"),
    ("aws_cognito_user", "temporary_password"),
    ("aws_iam_access_key", "secret"),
    ("aws_iam_service_specific_credential", "service_password"),
    ("aws_lightsail_key_pair", "encrypted_private_key"),
    ("aws_ssm_parameter", "value"),
    ("aws_ssm_parameter", "value_wo"),
];

/// The key of the hashes: 32 bytes of the organisation, so that hashes of two organisations cannot be compared.
#[derive(Clone)]
pub struct SensitiveKey([u8; 32]);

impl SensitiveKey {
    /// Takes the key's bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash of a value: HMAC-SHA-256 over its canonical JSON, in hex. Values that a comparison takes for the same have the same hash.
    #[must_use]
    pub fn hash(&self, value: &Value) -> String {
        // HMAC takes keys of any length, so this cannot fail; an empty hash would match nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(normalise::canonical(value).as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// What stands for the value from here on. Empty values hold no secret and stay.
    #[must_use]
    pub fn seal(&self, value: &Value) -> Value {
        if normalise::is_empty(value) || sealed(value).is_some() {
            return value.clone();
        }
        json!({ MARKER: self.hash(value) })
    }
}

impl fmt::Debug for SensitiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SensitiveKey(..)")
    }
}

/// The hash that stands for a value, if one does.
#[must_use]
pub fn sealed(value: &Value) -> Option<&str> {
    let object = value.as_object()?;
    if object.len() != 1 {
        return None;
    }
    object.get(MARKER)?.as_str()
}

/// Where an attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// An attribute of the resource itself.
    Top,
    /// Inside a block or a map.
    Nested,
}

/// Whether an attribute holds a secret by its name alone.
#[must_use]
pub fn is_secret(provider_type: &str, name: &str, depth: Depth) -> bool {
    SECRET_NAMES.binary_search(&name).is_ok()
        || (depth == Depth::Top && SECRET_ATTRIBUTES.contains(&(provider_type, name)))
}

/// Replaces well-known secrets in place and adds their paths.
pub(crate) fn seal_known(
    provider_type: &str,
    attributes: &mut Map<String, Value>,
    key: &SensitiveKey,
    paths: &mut Vec<String>,
) {
    for (name, value) in attributes.iter_mut() {
        let mut path = normalise::path::root(name);
        if is_secret(provider_type, name, Depth::Top) {
            seal_at(value, key, &path, paths);
        } else {
            seal_inside(provider_type, value, key, &mut path, paths);
        }
    }
}

fn seal_inside(provider_type: &str, value: &mut Value, key: &SensitiveKey, path: &mut String, paths: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(map) => {
            for (name, inner) in map.iter_mut() {
                normalise::path::push_key(path, name);
                if is_secret(provider_type, name, Depth::Nested) {
                    seal_at(inner, key, path, paths);
                } else {
                    seal_inside(provider_type, inner, key, path, paths);
                }
                path.truncate(length);
            }
        }
        Value::Array(items) if items.iter().any(|i| i.is_object() || i.is_array()) => {
            for (index, inner) in items.iter_mut().enumerate() {
                normalise::path::push_index(path, index);
                seal_inside(provider_type, inner, key, path, paths);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Replaces one value in place and notes its path.
pub(crate) fn seal_at(value: &mut Value, key: &SensitiveKey, path: &str, paths: &mut Vec<String>) {
    if sealed(value).is_some() {
        return;
    }
    *value = key.seal(value);
    paths.push(path.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SensitiveKey {
        SensitiveKey::new([7; 32])
    }

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(SECRET_NAMES.is_sorted());
    }

    #[test]
    fn a_secret_leaves_no_trace_of_itself() {
        let mut attributes =
            json!({"password": "hunter2", "a": [{"private_key": "pem"}], "b": "seen"}).as_object().unwrap().clone();
        let mut paths = Vec::new();
        seal_known("aws_db_instance", &mut attributes, &key(), &mut paths);
        let text = serde_json::to_string(&attributes).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("pem") && text.contains("seen"), "{text}");
        paths.sort();
        assert_eq!(paths, ["a[0].private_key", "password"]);
    }

    #[test]
    fn hashes_depend_on_key_and_value_and_not_on_spelling() {
        assert_eq!(key().hash(&json!("5")), key().hash(&json!(5)));
        assert_ne!(key().hash(&json!("a")), key().hash(&json!("b")));
        assert_ne!(key().hash(&json!("a")), SensitiveKey::new([8; 32]).hash(&json!("a")));
    }

    #[test]
    fn empty_values_stay_and_sealing_twice_is_sealing_once() {
        assert_eq!(key().seal(&json!("")), json!(""));
        assert_eq!(key().seal(&Value::Null), Value::Null);
        let once = key().seal(&json!("x"));
        assert_eq!(key().seal(&once), once);
    }

    #[test]
    fn type_specific_secrets_are_top_level_only() {
        assert!(is_secret("aws_iam_access_key", "secret", Depth::Top));
        assert!(!is_secret("aws_iam_access_key", "secret", Depth::Nested));
        assert!(!is_secret("aws_instance", "secret", Depth::Top));
    }
}
