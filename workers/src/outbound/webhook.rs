//! A client that posts to URLs which strangers chose, from inside a network that is not theirs.
//!
//! So it calls public addresses only, and those that an operator allowed, and it believes nothing that comes back:
//!
//! - The URL is judged again at every post ([`address::parse`]): rules may have changed since it was saved. A literal address
//!   is judged there, as the HTTP library connects to one without asking a resolver.
//! - A name is looked up by our own resolver, whose answers the library gets only if all of them may be called. What was
//!   judged is what is connected to: nobody looks the name up again. A connection that is kept for the next post leads where
//!   it led when it was made, so it needs no second look, however the name has moved since.
//! - No redirect is followed, no proxy of the environment is used, no cookie is kept, nothing is decompressed.
//! - One timer covers everything from the lookup to the last byte of the answer. A status that has arrived counts, whatever the
//!   body then does: endless, dripping or broken, it is read up to a bound and until the timer ends.
//!
//! What comes back is an [`Outcome`]. A status is an [`Answer`] even if it is 500 or 302; what it means is the caller's to say.

mod body;
mod dns;
mod failure;
mod retry_after;

pub use failure::{Failure, FailureClass};
pub use reqwest::StatusCode;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use bytes::Bytes;
use dns::Checked;
use failure::Place;
use jobs::addresses::Allowed;
use jobs::lookup::Resolver;
use jobs::webhooks::address;
use reqwest::{Client, redirect, retry};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// How we call ourselves.
const USER_AGENT: &str = concat!("Plumbline-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Connections to one host that are kept for later posts.
const KEPT_PER_HOST: usize = 8;

/// How long they are kept.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Posts to endpoints. Clones share their connections.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    http: Client,
    allowed: Arc<Allowed>,
    limits: Limits,
}

/// How long a post may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection: lookup, TCP and TLS. The lookup may take four fifths of it.
    pub connect: Duration,
    /// All of it, with the answer's body.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(15) }
    }
}

/// What is posted.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// Where to.
    pub url: &'a str,
    /// Headers beside those of the protocol and our name.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How long it took.
    pub duration: Duration,
    /// The answer, or why there is none.
    pub result: Result<Answer, Failure>,
}

/// An answer, of whatever status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body's beginning, 4096 bytes of UTF-8 at most, without NUL. What is not UTF-8 is replaced.
    pub excerpt: String,
    /// For 429 and 503: how long to wait before the next post, 5 s to 24 h.
    pub retry_after: Option<Duration>,
}

/// A client that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client for webhooks cannot be built: {0}. It needs the certificates of the system's authorities (ca-certificates)"
)]
pub struct BuildError(#[from] reqwest::Error);

impl WebhookClient {
    /// A client that calls public addresses and those that are allowed.
    ///
    /// # Errors
    /// A machine without certificates of authorities.
    pub fn new(allowed: Allowed, resolver: Resolver, limits: Limits) -> Result<Self, BuildError> {
        let allowed = Arc::new(allowed);
        let dns = Checked { resolver, allowed: Arc::clone(&allowed), limit: limits.connect * 4 / 5 };
        let http = Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(Arc::new(dns))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            // When to try again is decided where attempts are counted.
            .retry(retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .connect_timeout(limits.connect)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .pool_idle_timeout(KEPT_FOR)
            .build()?;
        Ok(Self { http, allowed, limits })
    }

    /// Posts, and takes at most [`Limits::total`] for it.
    pub async fn post(&self, post: Post<'_>) -> Outcome {
        let started = Instant::now();
        let result = self.answer(post, started + self.limits.total).await;
        Outcome { duration: started.elapsed(), result }
    }

    async fn answer(&self, post: Post<'_>, deadline: Instant) -> Result<Answer, Failure> {
        let url = address::parse(post.url, &self.allowed).map_err(Failure::refused)?;
        let place = Place::of(&url);
        let sending = self.http.post(url).headers(post.headers).body(post.body).send();
        let mut response = match timeout_at(deadline, sending).await {
            Ok(sent) => sent.map_err(|error| Failure::of(&error, &place))?,
            Err(_) => return Err(Failure::late(&place)),
        };
        let status = response.status().as_u16();
        let retry_after = retry_after::read(status, response.headers(), SystemTime::now());
        let excerpt = body::excerpt(&mut response, deadline).await;
        Ok(Answer { status, excerpt, retry_after })
    }
}
