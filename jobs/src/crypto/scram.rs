//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form that Postgres keeps, and takes in place of a password:
//! `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, salt and keys in base64.
//!
//! Iterations make it slow to guess a person's password, and to connect, as the client repeats them all. Nobody guesses a
//! long random password, so one iteration protects it as well as the 4,096 that Postgres takes by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::mac;

/// A verifier, with one iteration and a new salt, of a random password in ASCII.
#[must_use]
pub fn verifier(password: &str) -> String {
    with_salt(password, &rand::random::<[u8; 16]>())
}

/// RFC 5802, section 3, where `Hi` of one iteration is a single HMAC.
fn with_salt(password: &str, salt: &[u8]) -> String {
    let salted = mac::of(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let stored = Sha256::digest(mac::of(&salted, &[b"Client Key"]));
    let server = mac::of(&salted, &[b"Server Key"]);
    format!("SCRAM-SHA-256$1:{}${}:{}", STANDARD.encode(salt), STANDARD.encode(stored), STANDARD.encode(server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verifier_has_a_salt_of_its_own() {
        assert!(verifier("secret").starts_with("SCRAM-SHA-256$1:"));
        assert_ne!(verifier("secret"), verifier("secret"));
        assert_eq!(with_salt("secret", b"salt"), with_salt("secret", b"salt"));
    }
}
