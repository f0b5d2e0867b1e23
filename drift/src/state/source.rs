//! The bytes on their way to the parser: counted, limited and hashed, and what their beginning says about them.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// How UTF-8 begins where it says so (Unicode, "Byte order mark").
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// How UTF-16 begins: with a mark of either byte order, or with a brace.
const UTF16: [&[u8]; 4] = [&[0xff, 0xfe], &[0xfe, 0xff], b"{\0", b"\0{"];

/// What the first bytes of a text say.
pub(super) enum Start {
    /// It may be UTF-8; these bytes were read, without the mark.
    Utf8(Vec<u8>),
    /// It is UTF-16.
    Utf16,
}

/// Reads the first bytes of a text.
pub(super) fn start(reader: &mut impl Read) -> io::Result<Start> {
    let mut bytes = Vec::with_capacity(UTF8_MARK.len());
    reader.take(UTF8_MARK.len() as u64).read_to_end(&mut bytes)?;
    if UTF16.iter().any(|mark| bytes.starts_with(mark)) {
        return Ok(Start::Utf16);
    }
    if bytes == UTF8_MARK {
        bytes.clear();
    }
    Ok(Start::Utf8(bytes))
}

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
