//! The bytes of a state on their way: from an async source to a blocking parser, decompressed where they are gzip.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use drift::state::{Limits, StateError};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use super::{Bytes, IngestError};

/// How gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes hashed at a time.
const BUFFER: usize = 64 << 10;

/// Async bytes for a thread that may block, which no thread of the runtime itself is.
struct Blocking {
    bytes: Bytes,
    runtime: Handle,
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.runtime.block_on(self.bytes.read(buffer))
    }
}

/// A reader that remembers whether it was the source that failed, and not who decompresses it.
struct Watched<R> {
    inner: R,
    broke: Arc<AtomicBool>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.broke.store(true, Ordering::Relaxed);
            }
        })
    }
}

/// gzip, decompressed. The decoder reads the header as soon as it exists, so it is made by the first read, on a thread that
/// may block.
enum Gunzip<R: Read> {
    Unread(Option<R>),
    Open(MultiGzDecoder<R>),
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unread(source) = self
            && let Some(source) = source.take()
        {
            *self = Self::Open(MultiGzDecoder::new(source));
        }
        match self {
            Self::Open(decoder) => decoder.read(buffer),
            Self::Unread(_) => Ok(0),
        }
    }
}

/// Plain bytes for a blocking reader, and what an error of theirs means.
pub(super) struct Plain {
    reader: Box<dyn Read + Send>,
    broke: Arc<AtomicBool>,
    is_gzip: bool,
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// What [`Plain::blame`] needs, once the reader is given away.
#[derive(Clone)]
pub(super) struct Blame {
    broke: Arc<AtomicBool>,
    is_gzip: bool,
}

impl Blame {
    /// What an error while reading means.
    pub(super) fn error(&self, error: &io::Error) -> IngestError {
        if self.is_gzip && !self.broke.load(Ordering::Relaxed) {
            IngestError::compression(error)
        } else {
            IngestError::broken_off(error)
        }
    }
}

impl Plain {
    /// Looks at the first bytes. Must be called within the runtime; the result is for a blocking thread.
    pub(super) async fn open(mut bytes: Bytes) -> Result<Self, IngestError> {
        let mut start = Vec::with_capacity(GZIP.len());
        let mut first = (&mut bytes).take(GZIP.len() as u64);
        first.read_to_end(&mut start).await.map_err(|error| IngestError::broken_off(&error))?;
        let is_gzip = start == GZIP;
        let broke = Arc::new(AtomicBool::new(false));
        let whole = Watched {
            inner: Read::chain(io::Cursor::new(start), Blocking { bytes, runtime: Handle::current() }),
            broke: Arc::clone(&broke),
        };
        let reader: Box<dyn Read + Send> =
            if is_gzip { Box::new(Gunzip::Unread(Some(whole))) } else { Box::new(whole) };
        Ok(Self { reader, broke, is_gzip })
    }

    /// How to read errors of these bytes.
    pub(super) fn blame(&self) -> Blame {
        Blame { broke: Arc::clone(&self.broke), is_gzip: self.is_gzip }
    }
}

/// SHA-256 of the plain bytes, hex. Refuses more of them than a state may have.
pub(super) async fn hash(bytes: Bytes) -> Result<String, IngestError> {
    let mut plain = Plain::open(bytes).await?;
    let blame = plain.blame();
    let limit = Limits::default().max_bytes;
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        let mut total = 0;
        let mut buffer = vec![0; BUFFER];
        loop {
            match plain.read(&mut buffer) {
                Ok(0) => return Ok(hex::encode(hash.finalize())),
                Ok(count) => {
                    total += count as u64;
                    if total > limit {
                        return Err(IngestError::refused(&StateError::TooLarge { limit }));
                    }
                    hash.update(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(blame.error(&error)),
            }
        }
    });
    hashed.await.map_err(|error| IngestError::broken_off(&io::Error::other(error)))?
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn hash_of(bytes: Vec<u8>) -> Result<String, IngestError> {
        hash(Box::new(io::Cursor::new(bytes))).await
    }

    /// Gives some bytes and breaks.
    struct Broken(bool);

    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            if std::mem::replace(&mut self.0, true) {
                return std::task::Poll::Ready(Err(io::Error::other("reset")));
            }
            buffer.put_slice(&GZIP);
            std::task::Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn compressed_and_plain_bytes_are_the_same_state() {
        let plain = b"{\"version\": 4}".repeat(10_000);
        let hash = hash_of(plain.clone()).await.unwrap();
        assert_eq!(hash_of(gzip(&plain)).await.unwrap(), hash);
        let (one, two) = plain.split_at(70_000);
        assert_eq!(hash_of([gzip(one), gzip(two)].concat()).await.unwrap(), hash, "two members");
        assert_eq!(hash_of(Vec::new()).await.unwrap(), hex::encode(Sha256::digest(b"")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_wrong_with_gzip_is_the_state_s_fault_and_a_broken_source_is_not() {
        let whole = gzip(&b"x".repeat(100_000));
        assert_eq!(hash_of(whole[..whole.len() - 9].to_vec()).await.unwrap_err().class(), "state_truncated");
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..].fill(0xff);
        assert_eq!(hash_of(damaged).await.unwrap_err().class(), "state_compression");
        assert_eq!(hash(Box::new(Broken(false))).await.unwrap_err().class(), "backend_failed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bomb_is_refused_by_its_plain_size() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![0; 1 << 20];
        for _ in 0..257 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 4 << 20);
        assert_eq!(hash_of(bomb).await.unwrap_err().class(), "state_too_large");
    }
}
