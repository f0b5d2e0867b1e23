//! Sealing a stream: AES-256-GCM over chunks, after the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, "Online
//! Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015).
//!
//! A chunk's nonce is its number and whether it is the last, so chunks cannot be swapped, repeated or left out, and a stream
//! that was cut does not end in a last chunk. The key is random for each stream and itself sealed for the stream's place.
//!
//! Layout: version (1 byte), length of the sealed key (2, big-endian), the sealed key, then chunks of [`CHUNK`] bytes and a tag each; the
//! last one is shorter, or empty.

use std::io;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt};

use super::Body;
use crate::crypto::{Aad, Keyring, OpenError};

const VERSION: u8 = 1;
/// Plain bytes of a chunk.
pub const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
/// Version and length.
const HEAD: usize = 3;

/// Where a chunk stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Inner,
    Last,
}

/// 7 zero bytes (the key is never used for another stream), the chunk's number, and 1 for the last one.
fn nonce(number: u32, place: Place) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(place == Place::Last);
    Nonce::from(nonce)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the sealed artifact {what}"))
}

/// A stream of plain or sealed bytes, cut into chunks of one size.
struct Chunks<B> {
    body: B,
    pending: BytesMut,
    size: usize,
}

impl<B: Stream<Item = io::Result<Bytes>> + Unpin> Chunks<B> {
    /// The next chunk and whether it is the last: the last one is the first that is not full.
    async fn next(&mut self) -> io::Result<(BytesMut, Place)> {
        while self.pending.len() < self.size {
            match self.body.next().await {
                Some(bytes) => self.pending.extend_from_slice(&bytes?),
                None => return Ok((self.pending.split(), Place::Last)),
            }
        }
        Ok((self.pending.split_to(self.size), Place::Inner))
    }
}

/// Seals a stream for a place.
///
/// # Errors
/// See [`Keyring::seal`]; errors of the body come through.
pub fn seal<'b, B>(
    keyring: &Keyring,
    place: Aad<'_>,
    body: B,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<'b, B>, OpenError>
where
    B: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'b,
{
    let key: [u8; 32] = rand::random();
    let sealed_key = keyring.seal(place, &key)?;
    let length = u16::try_from(sealed_key.len()).map_err(|_| OpenError::Damaged)?;
    let mut head = BytesMut::with_capacity(HEAD + sealed_key.len());
    head.extend_from_slice(&[VERSION]);
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&sealed_key);

    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key));
    let chunks = Chunks { body, pending: BytesMut::new(), size: CHUNK };
    let sealed = stream::try_unfold(Some((chunks, 0_u32)), move |state| {
        let cipher = cipher.clone();
        async move {
            let Some((mut chunks, number)) = state else { return Ok(None) };
            let (plain, place) = chunks.next().await?;
            let sealed =
                cipher.encrypt(&nonce(number, place), plain.as_ref()).map_err(|_| damaged("cannot be written"))?;
            let next = match place {
                Place::Last => None,
                Place::Inner => Some((chunks, number.checked_add(1).ok_or_else(|| damaged("is too long"))?)),
            };
            Ok(Some((Bytes::from(sealed), next)))
        }
    });
    Ok(stream::once(std::future::ready(Ok(head.freeze()))).chain(sealed))
}

/// Opens what [`seal`] made for the same place. A changed or cut stream ends in an error of kind `InvalidData`.
///
/// # Errors
/// The body's, `InvalidData` where it does not begin as a sealed stream of this place does.
pub async fn open(keyring: &Keyring, place: Aad<'_>, mut body: Body) -> io::Result<Body> {
    let mut pending = BytesMut::new();
    fill(&mut pending, &mut body, HEAD).await?;
    if pending[0] != VERSION {
        return Err(damaged("is of an unknown version"));
    }
    let length = usize::from(u16::from_be_bytes([pending[1], pending[2]]));
    pending.advance(HEAD);
    fill(&mut pending, &mut body, length).await?;
    let key = keyring.open(place, &pending.split_to(length)).map_err(|error| damaged(&error.to_string()))?;
    let key: [u8; 32] = key.try_into().map_err(|_| damaged("has no key"))?;

    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key));
    let chunks = Chunks { body, pending, size: CHUNK + TAG };
    let opened = stream::try_unfold(Some((chunks, 0_u32)), move |state| {
        let cipher = cipher.clone();
        async move {
            let Some((mut chunks, number)) = state else { return Ok(None) };
            let (sealed, place) = chunks.next().await?;
            let plain =
                cipher.decrypt(&nonce(number, place), sealed.as_ref()).map_err(|_| damaged("was changed or cut"))?;
            let next = match place {
                Place::Last => None,
                Place::Inner => Some((chunks, number.checked_add(1).ok_or_else(|| damaged("is too long"))?)),
            };
            Ok(Some((Bytes::from(plain), next)))
        }
    });
    Ok(opened.boxed())
}

/// Reads until there are `length` bytes.
async fn fill(pending: &mut BytesMut, body: &mut Body, length: usize) -> io::Result<()> {
    while pending.len() < length {
        match body.next().await {
            Some(bytes) => pending.extend_from_slice(&bytes?),
            None => return Err(damaged("was cut")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::stream::TryStreamExt;
    use uuid::Uuid;

    use super::*;

    const PLACE: Aad<'_> = Aad { org: Uuid::from_u128(1), table: "artifact", column: "bytes", row: "k" };

    fn stream_of(bytes: &[u8], step: usize) -> Body {
        let pieces: Vec<io::Result<Bytes>> =
            bytes.chunks(step).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).boxed()
    }

    async fn all(body: impl Stream<Item = io::Result<Bytes>>) -> io::Result<Vec<u8>> {
        body.try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
    }

    async fn sealed(keyring: &Keyring, plain: &[u8]) -> Vec<u8> {
        all(seal(keyring, PLACE, stream_of(plain, 1_000)).unwrap()).await.unwrap()
    }

    async fn opened(keyring: &Keyring, sealed: &[u8]) -> io::Result<Vec<u8>> {
        all(open(keyring, PLACE, stream_of(sealed, 777)).await?).await
    }

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate(), None).unwrap()
    }

    fn plain(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn every_length_around_a_chunk_comes_back() {
        let keyring = keyring();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plain = plain(length);
            assert!(opened(&keyring, &sealed(&keyring, &plain).await).await.unwrap() == plain, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn a_cut_at_any_chunk_and_anywhere_else_is_noticed() {
        let keyring = keyring();
        let whole = sealed(&keyring, &plain(2 * CHUNK)).await;
        let first = whole.len() - 2 * (CHUNK + TAG) - TAG;
        for length in [0, 2, first - 1, first, first + CHUNK + TAG, first + 2 * (CHUNK + TAG), whole.len() - 1] {
            let error = opened(&keyring, &whole[..length]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "cut at {length}");
        }
    }

    #[tokio::test]
    async fn chunks_cannot_be_swapped_repeated_left_out_changed_or_added() {
        let keyring = keyring();
        let whole = sealed(&keyring, &plain(2 * CHUNK + 9)).await;
        let size = CHUNK + TAG;
        let first = whole.len() - 2 * size - 9 - TAG;
        let (head, a, b, last) = (
            &whole[..first],
            &whole[first..first + size],
            &whole[first + size..first + 2 * size],
            &whole[first + 2 * size..],
        );
        let mut changed = whole.clone();
        changed[first + 5] ^= 1;
        let attacks = [
            [head, b, a, last].concat(),
            [head, a, a, last].concat(),
            [head, a, last].concat(),
            [head, a, b, b, last].concat(),
            [&whole, last].concat(),
            changed,
        ];
        for (nth, attack) in attacks.iter().enumerate() {
            assert!(opened(&keyring, attack).await.is_err(), "attack {nth}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_sealed_artifact() {
        let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(io::Error::other("gone"))]);
        assert!(all(seal(&keyring(), PLACE, broken).unwrap()).await.is_err());
    }
}
