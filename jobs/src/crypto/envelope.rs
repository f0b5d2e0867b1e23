//! Envelope encryption (AES-256-GCM, NIST SP 800-38D): every secret has a data key of its own, which the installation's
//! master key wraps. Rotating the master key means rewrapping, and a stolen database is worth nothing without it.
//!
//! A sealed value is bound to its place (organisation, table, column, row) as associated data, so that it cannot be copied
//! to another tenant's row and be opened there.
//!
//! Layout: version (1 byte), id of the master key (8), nonce (12), wrapped data key (48), nonce (12), ciphertext with its tag.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::mac;

const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 12;
const WRAPPED: usize = 32 + 16;
const HEADER: usize = 1 + KEY_ID + NONCE + WRAPPED + NONCE;

/// The place that a sealed value belongs to; it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Aad<'a> {
    /// The organisation, or the nil UUID for the platform.
    pub org: Uuid,
    /// Table that holds the value.
    pub table: &'a str,
    /// Column that holds it.
    pub column: &'a str,
    /// The row's key.
    pub row: &'a str,
}

impl Aad<'_> {
    /// Each part with its length before it, so that no two places give the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut out = self.org.as_bytes().to_vec();
        for part in [self.table, self.column, self.row] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// A master key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the master key must be 32 bytes in base64: make one with `openssl rand -base64 32`")]
pub struct KeyringError;

/// A sealed value that does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// Cut, or never a sealed value.
    #[error("the sealed value is damaged")]
    Damaged,
    /// Sealed under a master key that this process was not given.
    #[error("the value was sealed under another master key: set PLUMBLINE_MASTER_KEY_PREVIOUS to it")]
    UnknownKey,
    /// Changed, or moved from another place.
    #[error("the sealed value does not belong here or was changed")]
    Refused,
}

#[derive(Clone)]
struct Master {
    id: [u8; KEY_ID],
    bytes: [u8; 32],
}

impl Master {
    fn new(bytes: [u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"plumbline master key id").chain_update(bytes).finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { id, bytes }
    }

    fn parse(text: &str) -> Result<Self, KeyringError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyringError)?;
        Ok(Self::new(bytes.try_into().map_err(|_| KeyringError)?))
    }
}

/// The installation's master key, and the one before it while it is being rotated.
#[derive(Clone)]
pub struct Keyring {
    current: Master,
    previous: Option<Master>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("current", &hex::encode(self.current.id)).finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring of base64 keys, 32 bytes each.
    ///
    /// # Errors
    /// When one is not 32 bytes of base64.
    pub fn parse(current: &str, previous: Option<&str>) -> Result<Self, KeyringError> {
        Ok(Self { current: Master::parse(current)?, previous: previous.map(Master::parse).transpose()? })
    }

    /// A new random master key in base64, for a first start.
    #[must_use]
    pub fn generate() -> String {
        STANDARD.encode(rand::random::<[u8; 32]>())
    }

    /// A key for another purpose, derived from the current master key (HMAC-SHA256 over the label).
    #[must_use]
    pub fn derive(&self, label: &str) -> [u8; 32] {
        mac::of(&self.current.bytes, &[b"plumbline derive ", label.as_bytes()])
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// Only where the value is longer than AES-GCM can take, 64 GiB.
    pub fn seal(&self, aad: Aad<'_>, plain: &[u8]) -> Result<Vec<u8>, OpenError> {
        let aad = aad.bytes();
        let data_key: [u8; 32] = rand::random();
        let mut out = Vec::with_capacity(HEADER + plain.len() + 16);
        out.push(VERSION);
        out.extend_from_slice(&self.current.id);
        out.extend(encrypt(&self.current.bytes, &aad, &data_key)?);
        out.extend(encrypt(&data_key, &aad, plain)?);
        Ok(out)
    }

    /// Opens a value that [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// When the value is damaged, was sealed under a key that is not here, or belongs to another place.
    pub fn open(&self, aad: Aad<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        if sealed.len() < HEADER + 16 || sealed[0] != VERSION {
            return Err(OpenError::Damaged);
        }
        let aad = aad.bytes();
        let (id, rest) = sealed[1..].split_at(KEY_ID);
        let master = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|master| master.id == id)
            .ok_or(OpenError::UnknownKey)?;
        let (wrapped, body) = rest.split_at(NONCE + WRAPPED);
        let data_key: [u8; 32] = decrypt(&master.bytes, &aad, wrapped)?.try_into().map_err(|_| OpenError::Damaged)?;
        decrypt(&data_key, &aad, body)
    }
}

/// A random nonce and the ciphertext. A data key seals one value only and wraps are few, so random nonces do not repeat.
fn encrypt(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Result<Vec<u8>, OpenError> {
    let nonce: [u8; NONCE] = rand::random();
    let sealed = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
        .encrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| OpenError::Damaged)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (nonce, msg) = sealed.split_at_checked(NONCE).ok_or(OpenError::Damaged)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| OpenError::Damaged)?;
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
        .decrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| OpenError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::parse(&Keyring::generate(), None).unwrap()
    }

    const HERE: Aad<'_> = Aad { org: Uuid::from_u128(1), table: "cloud_account", column: "credential", row: "7" };

    #[test]
    fn a_value_opens_only_at_its_place() {
        let ring = ring();
        let sealed = ring.seal(HERE, b"secret").unwrap();
        assert_eq!(ring.open(HERE, &sealed).unwrap(), b"secret");
        for elsewhere in [
            Aad { org: Uuid::from_u128(2), ..HERE },
            Aad { table: "state_source", ..HERE },
            Aad { column: "credentia", row: "l7", ..HERE },
            Aad { row: "8", ..HERE },
        ] {
            assert_eq!(ring.open(elsewhere, &sealed), Err(OpenError::Refused));
        }
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let ring = ring();
        let sealed = ring.seal(HERE, b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open(HERE, &changed).is_err(), "byte {at}");
            assert!(ring.open(HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_previous_key_opens_what_it_sealed() {
        let old = Keyring::generate();
        let new = Keyring::generate();
        let sealed = Keyring::parse(&old, None).unwrap().seal(HERE, b"x").unwrap();
        let rotated = Keyring::parse(&new, Some(&old)).unwrap();
        assert_eq!(rotated.open(HERE, &sealed).unwrap(), b"x");
        let without = Keyring::parse(&new, None).unwrap();
        assert_eq!(without.open(HERE, &sealed), Err(OpenError::UnknownKey));
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let ring = ring();
        assert_ne!(ring.seal(HERE, b"x").unwrap(), ring.seal(HERE, b"x").unwrap());
        assert_ne!(ring.derive("a"), ring.derive("b"));
    }

    #[test]
    fn a_bad_master_key_is_refused_with_the_way_out() {
        let error = Keyring::parse("c2hvcnQ=", None).unwrap_err();
        assert!(error.to_string().contains("openssl rand -base64 32"));
    }
}
