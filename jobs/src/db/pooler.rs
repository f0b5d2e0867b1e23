//! Getting through a pooler in transaction mode.
//!
//! Such a pooler may give every transaction, and every statement outside of one, another connection of the server. sqlx
//! prepares a statement in one round trip, by a name, and runs it in another: by then it may speak to a connection that does
//! not know the name, or knows another client's statement under it. An unnamed statement is no better, as it may be another
//! client's by then, and is run without a complaint. Neither a smaller cache nor `persistent(false)` changes the two trips.
//!
//! So sqlx talks to a relay in this process, over a socket that only we can open. The relay remembers the text behind each
//! name, makes all statements unnamed, and sends the text again before each use, in the same round trip: what is used
//! together arrives together, at one connection. The server's answers pass unchanged; of the additional `ParseComplete`
//! sqlx takes no notice. PgBouncer 1.21 and newer can do the same (`max_prepared_statements`) and needs no relay.
//!
//! The messages are those of <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// A relay to a pooler; connections through it end when it is dropped.
#[derive(Debug)]
pub struct Relay {
    folder: PathBuf,
    options: PgConnectOptions,
    _accepting: AbortOnDropHandle<()>,
}

/// Where the pooler is.
#[derive(Debug, Clone)]
enum Pooler {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Relay {
    /// Opens a relay to the pooler of these options.
    ///
    /// # Errors
    /// Options that ask for TLS, which the relay does not speak; a socket that cannot be made.
    pub fn open(options: &PgConnectOptions) -> io::Result<Self> {
        if matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "PLUMBLINE_POOLER=transaction does not go together with the `sslmode` of DATABASE_URL: use PgBouncer 1.21 or \
                 newer with max_prepared_statements and without PLUMBLINE_POOLER, or a pooler on this machine without TLS",
            ));
        }
        let pooler = Pooler::of(options);
        // Short: the path of a socket may have 104 bytes, and some systems have long names for the temporary folder.
        let name = &Uuid::new_v4().simple().to_string()[..16];
        let folder = std::env::temp_dir().join(format!("plumbline-{name}"));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let listener = UnixListener::bind(socket(&folder, options.get_port()))?;
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, pooler)));
        // Poolers refuse settings that they cannot keep for each client; sqlx reads floats in binary anyway.
        let options = options.clone().socket(&folder).ssl_mode(PgSslMode::Disable).extra_float_digits(None);
        Ok(Self { folder, options, _accepting: accepting })
    }

    /// How to connect through it.
    #[must_use]
    pub const fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A folder that somebody removed before is gone, which is all that is wanted.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

impl Pooler {
    fn of(options: &PgConnectOptions) -> Self {
        let (host, port) = (options.get_host(), options.get_port());
        match options.get_socket() {
            Some(folder) => Self::Unix(socket(folder, port)),
            None if host.starts_with('/') => Self::Unix(socket(Path::new(host), port)),
            None => Self::Tcp(host.to_owned(), port),
        }
    }

    async fn relay(self, client: UnixStream) -> io::Result<()> {
        match self {
            Self::Unix(path) => {
                let (from, to) = UnixStream::connect(path).await?.into_split();
                relay(client, from, to).await
            }
            Self::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                let (from, to) = stream.into_split();
                relay(client, from, to).await
            }
        }
    }
}

async fn accept(listener: UnixListener, pooler: Pooler) {
    let mut wires = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let pooler = pooler.clone();
                wires.spawn(async move {
                    if let Err(error) = pooler.relay(client).await {
                        // sqlx sees its connection end and says so.
                        tracing::debug!(%error, "a connection to the pooler ended");
                    }
                });
            }
            // No descriptors left, for one: a moment later there may be.
            Err(error) => {
                tracing::warn!(%error, "a connection to the pooler could not be taken");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while wires.try_join_next().is_some() {}
    }
}

/// Passes everything on, both ways, until either side ends.
async fn relay(
    client: UnixStream,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (questions, mut answers) = client.into_split();
    tokio::select! {
        ended = ask(BufReader::new(questions), &mut to) => ended,
        ended = tokio::io::copy(&mut from, &mut answers) => ended.map(drop),
    }
}

/// Passes on what the client sends.
async fn ask(mut client: BufReader<impl AsyncRead + Unpin>, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut statements = Statements::default();
    let mut out = Vec::new();
    // The first message has no kind.
    let mut body = read_body(&mut client, &mut out).await?;
    out.append(&mut body);
    loop {
        if client.buffer().is_empty() {
            to.write_all(&out).await?;
            to.flush().await?;
            out.clear();
        }
        let kind = match client.read_u8().await {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return to.shutdown().await,
            Err(error) => return Err(error),
        };
        let body = read_body(&mut client, &mut Vec::new()).await?;
        statements.pass_on(kind, &body, &mut out)?;
    }
}

/// Reads a message's length, which is noted in `head`, too, and what follows.
async fn read_body(client: &mut (impl AsyncRead + Unpin), head: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length).await?;
    head.extend(length);
    let length = usize::try_from(i32::from_be_bytes(length)).ok().and_then(|length| length.checked_sub(4));
    let mut body = vec![0; length.ok_or_else(garbled)?];
    client.read_exact(&mut body).await?;
    Ok(body)
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a message of the Postgres protocol")
}

/// The statements that a client has prepared: by name, the text and the types of its parameters.
#[derive(Default)]
struct Statements(HashMap<Vec<u8>, Vec<u8>>);

impl Statements {
    /// Appends to `out` what the server shall read instead of this message.
    fn pass_on(&mut self, kind: u8, body: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match (kind, body) {
            (b'P', _) => {
                let (name, text) = split(body)?;
                self.0.insert(name.to_vec(), text.to_vec());
                put(out, b'P', &[b"\0", text])
            }
            (b'B', _) => {
                let (portal, rest) = split(body)?;
                let (name, values) = split(rest)?;
                if let Some(text) = self.0.get(name) {
                    put(out, b'P', &[b"\0", text])?;
                }
                put(out, b'B', &[portal, b"\0\0", values])
            }
            (b'D', [b'S', ..]) => put(out, b'D', &[b"S\0"]),
            (b'C', [b'S', name @ ..]) => {
                self.0.remove(split(name)?.0);
                put(out, b'C', &[b"S\0"])
            }
            _ => put(out, kind, &[body]),
        }
    }
}

/// A string that ends with NUL, without it, and what follows.
fn split(bytes: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(garbled)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

/// Appends a message.
fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.push(kind);
    out.extend(i32::try_from(length).map_err(|_| garbled())?.to_be_bytes());
    for part in parts {
        out.extend(*part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, kind, &[body]).unwrap();
        out
    }

    fn passed_on(statements: &mut Statements, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        statements.pass_on(kind, body, &mut out).unwrap();
        out
    }

    #[test]
    fn a_statement_is_unnamed_and_its_text_goes_with_each_use() {
        let mut statements = Statements::default();
        let parse = message(b'P', b"\0SELECT $1\0\0\x01\0\0\0\x19");
        assert_eq!(passed_on(&mut statements, b'P', b"sqlx_s_1\0SELECT $1\0\0\x01\0\0\0\x19"), parse);
        assert_eq!(passed_on(&mut statements, b'D', b"Ssqlx_s_1\0"), message(b'D', b"S\0"));
        let bind = message(b'B', b"\0\0values");
        assert_eq!(passed_on(&mut statements, b'B', b"\0sqlx_s_1\0values"), [parse, bind.clone()].concat());
        assert_eq!(passed_on(&mut statements, b'C', b"Ssqlx_s_1\0"), message(b'C', b"S\0"));
        // The server says that there is no such statement.
        assert_eq!(passed_on(&mut statements, b'B', b"\0sqlx_s_1\0values"), bind);
    }

    #[test]
    fn everything_else_passes_unchanged() {
        let mut statements = Statements::default();
        for (kind, body) in [(b'Q', &b"BEGIN\0"[..]), (b'C', b"P\0"), (b'D', b"P\0"), (b'S', b""), (b'p', b"secret\0")]
        {
            assert_eq!(passed_on(&mut statements, kind, body), message(kind, body));
        }
    }

    #[test]
    fn what_is_no_message_ends_the_connection() {
        assert!(Statements::default().pass_on(b'P', b"no end", &mut Vec::new()).is_err());
    }

    #[tokio::test]
    async fn an_url_that_asks_for_tls_is_refused_with_the_way_out() {
        let options: PgConnectOptions = "postgres://me@pooler/db?sslmode=verify-full".parse().unwrap();
        let error = Relay::open(&options).unwrap_err().to_string();
        assert!(error.contains("sslmode") && error.contains("max_prepared_statements"), "{error}");
    }
}
