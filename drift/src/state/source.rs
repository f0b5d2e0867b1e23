//! The bytes on their way to the parser: counted, limited and hashed.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// A reader that remembers what passed through it.
pub(super) struct Source<R> {
    inner: R,
    limit: u64,
    bytes: u64,
    over: bool,
    blank: bool,
    hash: Sha256,
}

impl<R> Source<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, limit, bytes: 0, over: false, blank: true, hash: Sha256::new() }
    }

    /// Whether there was more than the limit.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nothing but white space has passed.
    pub(super) fn is_blank(&self) -> bool {
        self.blank
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of bytes, and their SHA-256 in hex.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, hex::encode(self.hash.finalize()))
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = &buffer[..count];
        self.bytes += count as u64;
        if self.bytes > self.limit {
            self.over = true;
            return Err(io::Error::other("over the limit"));
        }
        self.blank = self.blank && read.iter().all(u8::is_ascii_whitespace);
        self.hash.update(read);
        Ok(count)
    }
}
