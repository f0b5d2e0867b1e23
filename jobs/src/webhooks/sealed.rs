//! What of an endpoint is stored sealed: its secrets, and its custom headers, which may hold a subscriber's credential.
//!
//! A sealed value opens only in its own organisation, endpoint and column. A secret that becomes the previous one is
//! therefore opened and sealed anew.

use std::collections::BTreeMap;

use crate::crypto::{Aad, Keyring, OpenError};
use crate::ids::{OrgId, WebhookEndpointId};

use super::secret::Secret;

/// The endpoint that a value is sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its organisation.
    pub org_id: OrgId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
}

/// Which of an endpoint's two secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The newest.
    Current,
    /// The one before it, which goes on signing for a while after a rotation.
    Previous,
}

impl Slot {
    const fn column(self) -> &'static str {
        match self {
            Self::Current => "secret",
            Self::Previous => "previous_secret",
        }
    }
}

impl Place {
    /// Seals with the place as associated data.
    fn seal(self, keyring: &Keyring, column: &str, plain: &[u8]) -> Result<Vec<u8>, OpenError> {
        keyring.seal(self.aad(column, &self.endpoint_id.to_string()), plain)
    }

    fn open(self, keyring: &Keyring, column: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        keyring.open(self.aad(column, &self.endpoint_id.to_string()), sealed)
    }

    fn aad<'a>(self, column: &'a str, row: &'a str) -> Aad<'a> {
        Aad { org: self.org_id.uuid(), table: "webhook_endpoint", column, row }
    }
}

/// Seals a secret.
///
/// # Errors
/// See [`Keyring::seal`].
pub fn seal_secret(keyring: &Keyring, place: Place, slot: Slot, secret: &Secret) -> Result<Vec<u8>, OpenError> {
    place.seal(keyring, slot.column(), secret.bytes())
}

/// Opens what [`seal_secret`] made for the same place and slot.
///
/// # Errors
/// See [`Keyring::open`].
pub fn open_secret(keyring: &Keyring, place: Place, slot: Slot, sealed: &[u8]) -> Result<Secret, OpenError> {
    let bytes = place.open(keyring, slot.column(), sealed)?;
    Secret::from_bytes(bytes).map_err(|_| OpenError::Damaged)
}

const HEADERS: &str = "headers";

/// Seals custom headers: name to value.
///
/// # Errors
/// See [`Keyring::seal`].
pub fn seal_headers(keyring: &Keyring, place: Place, headers: &BTreeMap<String, String>) -> Result<Vec<u8>, OpenError> {
    let json = serde_json::to_vec(headers).map_err(|_| OpenError::Damaged)?;
    place.seal(keyring, HEADERS, &json)
}

/// Opens what [`seal_headers`] made for the same place.
///
/// # Errors
/// See [`Keyring::open`].
pub fn open_headers(keyring: &Keyring, place: Place, sealed: &[u8]) -> Result<BTreeMap<String, String>, OpenError> {
    let json = place.open(keyring, HEADERS, sealed)?;
    serde_json::from_slice(&json).map_err(|_| OpenError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::parse(&Keyring::generate(), None).unwrap()
    }

    fn place() -> Place {
        Place { org_id: OrgId::new(), endpoint_id: WebhookEndpointId::new() }
    }

    #[test]
    fn a_secret_opens_only_for_its_endpoint_and_slot() {
        let (ring, place, secret) = (ring(), place(), Secret::generate());
        let sealed = seal_secret(&ring, place, Slot::Current, &secret).unwrap();
        assert_eq!(open_secret(&ring, place, Slot::Current, &sealed), Ok(secret));
        let of_another_org = Place { org_id: OrgId::new(), ..place };
        let of_another_endpoint = Place { endpoint_id: WebhookEndpointId::new(), ..place };
        for (elsewhere, slot) in
            [(place, Slot::Previous), (of_another_org, Slot::Current), (of_another_endpoint, Slot::Current)]
        {
            assert_eq!(open_secret(&ring, elsewhere, slot, &sealed), Err(OpenError::Refused));
        }
        assert_eq!(open_headers(&ring, place, &sealed), Err(OpenError::Refused));
        assert_eq!(open_secret(&ring, place, Slot::Current, b"cut"), Err(OpenError::Damaged));
    }

    #[test]
    fn headers_open_only_for_their_endpoint() {
        let (ring, here) = (ring(), place());
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer é".to_owned())]);
        let sealed = seal_headers(&ring, here, &headers).unwrap();
        assert_eq!(open_headers(&ring, here, &sealed), Ok(headers));
        assert_eq!(open_headers(&ring, place(), &sealed), Err(OpenError::Refused));
        assert!(!sealed.windows(6).any(|bytes| bytes == b"Bearer"));
    }

    #[test]
    fn another_installations_master_key_opens_nothing() {
        let place = place();
        let sealed = seal_secret(&ring(), place, Slot::Current, &Secret::generate()).unwrap();
        assert_eq!(open_secret(&ring(), place, Slot::Current, &sealed), Err(OpenError::UnknownKey));
    }
}
