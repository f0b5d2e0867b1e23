//! Keys that machines and operators carry: a kind's prefix, 30 random characters (178 bits), and a checksum of six, so that a
//! mistyped or made-up key is refused before the database is asked, and scanners recognise a leaked one. The layout follows
//! GitHub's tokens (prefix, base62, CRC-32 at the end).

use rand::RngExt as _;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::Environment;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 30;
const CHECKSUM: usize = 6;

/// Characters of a key that may be shown again.
pub const VISIBLE: usize = 16;

/// What a key is for; its prefix says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// An organisation's key.
    Org(Environment),
    /// A platform operator's.
    Operator,
}

impl KeyKind {
    /// The first characters of such a key.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Org(Environment::Live) => "pl_live_",
            Self::Org(Environment::Test) => "pl_test_",
            Self::Operator => "pl_op_",
        }
    }
}

/// A new key, in plain text: show it once, store only [`hash`] and [`visible`].
#[must_use]
pub fn generate(kind: KeyKind) -> String {
    let mut rng = rand::rng();
    let mut key = String::from(kind.prefix());
    key.extend((0..RANDOM).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
    let checksum = checksum(&key);
    key.push_str(&checksum);
    key
}

/// The kind of a well-formed key, or `None` for anything else. Says nothing about whether the key exists.
#[must_use]
pub fn parse(key: &str) -> Option<KeyKind> {
    let kind = [KeyKind::Org(Environment::Live), KeyKind::Org(Environment::Test), KeyKind::Operator]
        .into_iter()
        .find(|kind| key.starts_with(kind.prefix()))?;
    let body = &key[kind.prefix().len()..];
    if body.len() != RANDOM + CHECKSUM || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (payload, given) = key.split_at(key.len() - CHECKSUM);
    bool::from(checksum(payload).as_bytes().ct_eq(given.as_bytes())).then_some(kind)
}

/// What is stored and looked up instead of the key.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether a stored hash is that of a key, in constant time.
#[must_use]
pub fn matches(stored: &[u8], key: &str) -> bool {
    hash(key).ct_eq(stored).into()
}

/// The part of a key that stays visible.
#[must_use]
pub fn visible(key: &str) -> &str {
    &key[..VISIBLE.min(key.len())]
}

/// CRC-32 of what stands before it, in base62, six characters.
fn checksum(payload: &str) -> String {
    let mut rest = crc32fast::hash(payload.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_contracts_shape_and_is_recognised() {
        for kind in [KeyKind::Org(Environment::Live), KeyKind::Org(Environment::Test), KeyKind::Operator] {
            let key = generate(kind);
            assert!(key.len() >= 32);
            assert_eq!(parse(&key), Some(kind));
            assert!(matches(&hash(&key), &key));
            assert_eq!(visible(&key).len(), VISIBLE);
        }
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let key = generate(KeyKind::Org(Environment::Live));
        for at in 0..key.len() {
            let mut typed = key.clone().into_bytes();
            typed[at] = if typed[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(parse(std::str::from_utf8(&typed).unwrap()), None, "at {at}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in ["", "pl_live_", "pl_live_short", "pl_prod_0123456789", "pl_live_ééééééééééééééééééééé", "Bearer x"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(!matches(b"short", "pl_live_x"));
    }
}
