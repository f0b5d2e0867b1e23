//! The secret that an endpoint's messages are signed with. Its subscriber knows it too, which is all that verifying needs.
//!
//! Source of the text form and of the allowed lengths: <https://www.standardwebhooks.com>, "Signature scheme".

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Stands before every secret, so that tools that look for leaked ones recognise it.
const PREFIX: &str = "whsec_";

/// Bytes that a secret may have.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Characters of a secret that stay visible, the prefix among them.
const VISIBLE: usize = 12;

/// A signing secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text that is no secret. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is \"whsec_\" and 24 to 64 bytes in base64")]
pub struct Malformed;

impl Secret {
    /// A new random secret of 32 bytes.
    #[must_use]
    pub fn generate() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When it is not `whsec_` and 24 to 64 bytes in base64, with its padding.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Malformed)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| Malformed)?)
    }

    /// A secret of these bytes.
    ///
    /// # Errors
    /// When they are fewer than 24 or more than 64.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Malformed> {
        if LENGTHS.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(Malformed) }
    }

    /// The text form, which the subscriber is shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The beginning of the text form, by which people tell secrets apart.
    #[must_use]
    pub fn visible(&self) -> String {
        self.reveal()[..VISIBLE].to_owned()
    }

    /// The key of the signature.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_from_its_text() {
        let secret = Secret::generate();
        let text = secret.reveal();
        assert_eq!((text.len(), secret.bytes().len()), (PREFIX.len() + 44, 32));
        assert_eq!(Secret::parse(&text), Ok(secret));
        assert_ne!(Secret::generate(), Secret::generate());
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let of = |length: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; length]));
        for text in ["", PREFIX, "whsec_short", "whsec_????????????????????????????????", " whsec_", &of(23), &of(65)] {
            assert_eq!(Secret::parse(text), Err(Malformed), "{text}");
        }
        assert!(Secret::parse(&of(24)).is_ok() && Secret::parse(&of(64)).is_ok());
        assert_eq!(Secret::parse(of(32).trim_start_matches(PREFIX)), Err(Malformed), "without its prefix");
        assert_eq!(Secret::parse(of(32).trim_end_matches('=')), Err(Malformed), "without its padding");
    }

    #[test]
    fn little_of_a_secret_is_ever_seen() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(secret.visible(), "whsec_MfKQ9r");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(!Malformed.to_string().contains("MfKQ9r"));
    }
}
