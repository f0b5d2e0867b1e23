//! SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form that Postgres keeps, and takes in place of a password:
//! `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, salt and keys in base64.
//!
//! Iterations make it slow to guess a person's password, and to connect, as the client repeats them all. Nobody guesses a
//! long random password, so one iteration protects it as well as the 4,096 that Postgres takes by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What every verifier of one iteration begins with.
pub const ONE_ITERATION: &str = "SCRAM-SHA-256$1:";

/// A verifier, with one iteration and a new salt, of a random password in ASCII.
#[must_use]
pub fn verifier(password: &str) -> String {
    with_salt(password, &rand::random::<[u8; 16]>())
}

/// RFC 5802, section 3, where `Hi` of one iteration is a single HMAC.
fn with_salt(password: &str, salt: &[u8]) -> String {
    let salted = mac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let stored = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server = mac(&salted, &[b"Server Key"]);
    format!("{ONE_ITERATION}{}${}:{}", STANDARD.encode(salt), STANDARD.encode(stored), STANDARD.encode(server))
}

/// HMAC-SHA-256 under a key of any length (RFC 2104: a key longer than the block is hashed, a shorter one padded).
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    if let Some(place) = block.get_mut(..key.len()) {
        place.copy_from_slice(key);
    } else {
        block[..32].copy_from_slice(&Sha256::digest(key));
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn keys_of_any_length_give_the_known_codes() {
        let short = mac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(short[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let long = mac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(long[..4], [0x60, 0xe4, 0x31, 0x59]);
    }

    #[test]
    fn every_verifier_has_a_salt_of_its_own() {
        assert!(verifier("secret").starts_with(ONE_ITERATION));
        assert_ne!(verifier("secret"), verifier("secret"));
        assert_eq!(with_salt("secret", b"salt"), with_salt("secret", b"salt"));
    }
}
