//! A webhook receiver whose answers a test decides, down to the bytes. It remembers what it was sent.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

/// The most that a request may be.
const LONGEST: usize = 1 << 20;

/// What a receiver does with a request.
pub enum Reply {
    /// A status without more.
    Status(u16),
    /// A status with headers (`name: value`) and a body.
    Full(u16, &'static [&'static str], Vec<u8>),
    /// A status, and a body without end.
    Endless(u16),
    /// Nothing, while the connection stays open.
    Silence,
    /// 200 once the test lets go of one request.
    Held(Arc<Semaphore>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Received {
    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Whether it was signed with this secret, by the word of another implementation.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        Webhook::new(secret).expect("a secret").verify(&self.body, &self.headers).is_ok()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What has come, and how many are being answered.
#[derive(Debug, Default)]
struct Log {
    received: Vec<Received>,
    open: usize,
    most_open: usize,
    connections: usize,
}

/// A running receiver.
pub struct Receiver {
    /// Where it is: `http://127.0.0.1:…`.
    pub url: String,
    log: Arc<Mutex<Log>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Answers the n-th request (from 0) as `reply` says.
    pub async fn start(reply: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let log = Arc::<Mutex<Log>>::default();
        let (seen, reply) = (Arc::clone(&log), Arc::new(reply));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                lock(&seen).connections += 1;
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                tokio::spawn(async move {
                    // A client that goes away ends it.
                    let _ = serve(stream, &seen, &*reply).await;
                });
            }
        });
        Self { url, log, _task: AbortOnDropHandle::new(task) }
    }

    /// One that answers 204 to everything.
    pub async fn content() -> Self {
        Self::start(|_, _| Reply::Status(204)).await
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.log).received.clone()
    }

    /// How many have come so far.
    pub fn count(&self) -> usize {
        lock(&self.log).received.len()
    }

    /// The most requests that were open at a time.
    pub fn most_open(&self) -> usize {
        lock(&self.log).most_open
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        lock(&self.log).connections
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    mut stream: TcpStream,
    log: &Mutex<Log>,
    reply: &(dyn Fn(usize, &Received) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await? {
        let nth = {
            let mut log = lock(log);
            log.received.push(request.clone());
            log.open += 1;
            log.most_open = log.most_open.max(log.open);
            log.received.len() - 1
        };
        let answered = answer(&mut stream, reply(nth, &request)).await;
        lock(log).open -= 1;
        answered?;
    }
    Ok(())
}

async fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let (status, headers, body) = match reply {
        Reply::Status(status) => (status, &[][..], Vec::new()),
        Reply::Full(status, headers, body) => (status, headers, body),
        Reply::Held(gate) => {
            gate.acquire().await.expect("an open gate").forget();
            (200, &[][..], Vec::new())
        }
        Reply::Silence => {
            // Until the client gives up.
            let _ = stream.read(&mut [0]).await?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Reply::Endless(status) => {
            stream.write_all(format!("HTTP/1.1 {status} x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 8192]).await?;
            }
        }
    };
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), &body].concat()).await
}

/// The next request of a connection; `None` at its end.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Received>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if !more(stream, buffer).await? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
        })
        .collect();
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    while buffer.len() < end + length {
        if !more(stream, buffer).await? {
            return Ok(None);
        }
    }
    let body = buffer[end..end + length].to_vec();
    buffer.drain(..end + length);
    Ok(Some(Received { target, headers, body }))
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    assert!(buffer.len() < LONGEST, "a request of more than {LONGEST} bytes");
    let mut chunk = [0; 8192];
    let read = stream.read(&mut chunk).await?;
    buffer.extend_from_slice(&chunk[..read]);
    Ok(read > 0)
}
