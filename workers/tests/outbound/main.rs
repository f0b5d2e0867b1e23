//! The client for webhooks against real sockets: name servers that lie, change their minds or keep silent, and endpoints that
//! do whatever a stranger's machine may do. What must not be called is a listener that counts who comes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod answers;
mod blocked;
mod counter;
mod dns;
mod endpoint;
mod lookups;
mod no_answer;
mod proxies;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use dns::Dns;
use workers::outbound::webhook::{HeaderMap, Limits, Outcome, Post, WebhookClient};

/// Everything that is this machine.
const LOOPBACK: &str = "127.0.0.0/8,::1";

/// Times that end a test soon, where one of them must pass. Long enough for what comes before it on a busy machine.
const SHORT: Limits = Limits { connect: Duration::from_millis(800), total: Duration::from_millis(1200) };

/// A client that asks this name server and may call these networks besides public addresses.
fn client(dns: &Dns, allowed: &str, limits: Limits) -> WebhookClient {
    WebhookClient::new(allowed.parse().unwrap(), dns.resolver(), limits).unwrap()
}

/// A client for literal addresses of this machine.
async fn local_client(limits: Limits) -> WebhookClient {
    client(&Dns::start().await, LOOPBACK, limits)
}

/// Posts a small body.
async fn post(client: &WebhookClient, url: &str) -> Outcome {
    client.post(Post { url, headers: HeaderMap::new(), body: Bytes::from_static(b"{}") }).await
}

/// The class of a failure, with its message for whoever reads the test's output.
#[track_caller]
fn class(outcome: &Outcome) -> &'static str {
    match &outcome.result {
        Err(failure) => {
            assert!(!failure.message.contains("secret"), "a message tells no path and no query: {}", failure.message);
            eprintln!("{}: {}", failure.class.as_str(), failure.message);
            failure.class.as_str()
        }
        Ok(answer) => panic!("an answer: {answer:?}"),
    }
}
