//! HMAC-SHA256 under a key of any length. The library's own constructor can fail, for algorithms that have short keys only.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// A code to be fed. RFC 2104: a key shorter than the block is padded with zeros, a longer one is hashed.
pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if let Some(place) = block.get_mut(..key.len()) {
        place.copy_from_slice(key);
    } else {
        block[..32].copy_from_slice(&Sha256::digest(key));
    }
    Hmac::new(&block.into())
}

/// The code of these parts, one after the other.
pub(crate) fn of(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
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
        let short = of(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(short[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let long = of(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(long[..4], [0x60, 0xe4, 0x31, 0x59]);
    }
}
