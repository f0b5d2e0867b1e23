//! The receiver of the webhook benchmarks: an HTTP server in a process of its own.
//!
//! It verifies every signature, with the library that subscribers use (`standardwebhooks`) and not with the code that signs; a
//! message counts only if that agrees. On standard input it is told the endpoints' secrets and asked for its counts; when that
//! ends, it writes down what it got and when, says what else it counted, and ends too.

use super::endpoints::Manner;
use crate::commands::bench::clock::now_ns;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jobs::webhooks::signature::ID_HEADER;
use serde::{Deserialize, Serialize};
use standardwebhooks::Webhook;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::net::{TcpListener, TcpStream};

/// Receive webhooks and verify them, until standard input ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: none; other benchmarks start it.")]
pub struct Args {
    /// File for the arrivals: endpoint, id, and nanoseconds of the monotonic clock.
    #[arg(long)]
    notes: PathBuf,
}

/// What a receiver counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages with a right signature for endpoints that answer, repeats among them.
    pub verified: usize,
    /// Requests with a wrong signature, without one, or to no endpoint.
    pub refused: usize,
    /// Messages with a right signature for endpoints that hang.
    pub hung: usize,
    /// Requests of those that are open now.
    pub open: usize,
    /// The most of them that ever were.
    pub most_open: usize,
    /// What one verification took on average, in microseconds.
    pub verification_us: f64,
}

#[derive(Default)]
struct Desk {
    keys: RwLock<HashMap<usize, Webhook>>,
    notes: Mutex<String>,
    verified: AtomicUsize,
    refused: AtomicUsize,
    hung: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    verifying_ns: AtomicU64,
}

/// A request that hangs, until its client gives up.
struct Open<'a>(&'a Desk);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pub async fn run(args: &Args) -> Result<()> {
    let desk = Arc::new(Desk::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen")?;
    println!("ready {}", listener.local_addr()?);
    let serving = tokio::spawn(serve(listener, Arc::clone(&desk)));
    let told = Arc::clone(&desk);
    tokio::task::spawn_blocking(move || listen(&told)).await??;
    serving.abort();
    let notes = std::mem::take(&mut *desk.notes.lock().unwrap_or_else(PoisonError::into_inner));
    tokio::fs::write(&args.notes, notes).await.with_context(|| format!("cannot write {}", args.notes.display()))?;
    println!("{}", serde_json::to_string(&desk.counts())?);
    Ok(())
}

/// Does what standard input says, until it ends.
fn listen(desk: &Desk) -> Result<()> {
    for line in std::io::stdin().lines() {
        match line?.split(' ').collect::<Vec<_>>()[..] {
            ["secret", number, secret] => desk.learn(number.parse()?, secret)?,
            ["count"] => println!("{}", serde_json::to_string(&desk.counts())?),
            _ => bail!("told something that is neither a secret nor a question"),
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(converse(stream, Arc::clone(&desk)));
    }
}

/// Answers the requests of one connection, until either side has enough: an error here is a client that went away.
async fn converse(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(|request| answer(&desk, request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let arrival = now_ns();
    let status = match endpoint(head.uri.path()) {
        Some((manner, number)) if desk.verify(number, &head.headers, &body) => {
            match manner {
                Manner::Answers => desk.note(number, head.headers.get(ID_HEADER), arrival),
                Manner::Hangs => {
                    let _open = desk.hang();
                    std::future::pending::<()>().await;
                }
            }
            StatusCode::OK
        }
        _ => {
            desk.refused.fetch_add(1, Ordering::Relaxed);
            StatusCode::UNAUTHORIZED
        }
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

/// The endpoint that a path stands for.
fn endpoint(path: &str) -> Option<(Manner, usize)> {
    let (word, number) = path.strip_prefix('/')?.split_once('/')?;
    let manner = [Manner::Answers, Manner::Hangs].into_iter().find(|manner| manner.word() == word)?;
    Some((manner, number.parse().ok()?))
}

impl Desk {
    fn learn(&self, number: usize, secret: &str) -> Result<()> {
        let key = Webhook::new(secret)?;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(number, key);
        Ok(())
    }

    fn verify(&self, number: usize, headers: &HeaderMap, body: &[u8]) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let begin = now_ns();
        let is_right = keys.get(&number).is_some_and(|key| key.verify(body, headers).is_ok());
        self.verifying_ns.fetch_add(now_ns() - begin, Ordering::Relaxed);
        is_right
    }

    /// Notes an arrival. An id that is no text was signed by nobody.
    fn note(&self, number: usize, id: Option<&HeaderValue>, arrival: u64) {
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = writeln!(notes, "{number} {id} {arrival}");
        self.verified.fetch_add(1, Ordering::Relaxed);
    }

    fn hang(&self) -> Open<'_> {
        self.hung.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Open(self)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts and times of a benchmark")]
    fn counts(&self) -> Counts {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (verified, refused, hung) = (of(&self.verified), of(&self.refused), of(&self.hung));
        let (requests, ns) = (verified + refused + hung, self.verifying_ns.load(Ordering::Relaxed));
        let verification_us = (ns as f64 / requests.max(1) as f64 / 10.0).round() / 100.0;
        Counts { verified, refused, hung, open: of(&self.open), most_open: of(&self.most_open), verification_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::webhooks::secret::Secret;
    use jobs::webhooks::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};

    #[test]
    fn paths_name_endpoints() {
        assert_eq!(endpoint("/e/17"), Some((Manner::Answers, 17)));
        assert_eq!(endpoint("/hang/0"), Some((Manner::Hangs, 0)));
        for path in ["/", "/e", "/e/", "/e/x", "/other/1", "e/1", "/e/1/2"] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }

    #[test]
    fn only_the_endpoints_own_signature_is_right() {
        let (desk, ours, theirs) = (Desk::default(), Secret::generate(), Secret::generate());
        desk.learn(0, &ours.reveal()).unwrap();
        let (now, body) = (chrono::Utc::now().timestamp(), b"{}");
        let headers = |secret: &Secret, body: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(ID_HEADER, HeaderValue::from_static("evt_a"));
            headers.insert(TIMESTAMP_HEADER, now.into());
            headers.insert(SIGNATURE_HEADER, sign(&[secret], "evt_a", now, body).parse().unwrap());
            headers
        };
        assert!(!desk.verify(0, &HeaderMap::new(), body), "no signature");
        assert!(!desk.verify(0, &headers(&theirs, body), body), "another secret");
        assert!(!desk.verify(0, &headers(&ours, b"[]"), body), "another body");
        assert!(!desk.verify(1, &headers(&ours, body), body), "another endpoint");
        assert!(desk.verify(0, &headers(&ours, body), body));
    }
}
