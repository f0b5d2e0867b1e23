//! Why there is no answer, by the types of the errors and never by their texts.

use jobs::webhooks::address::{InvalidUrl, Unreachable, Url};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

/// The most characters of a message. A certificate, say, can bring thousands of names into one.
const LONGEST_MESSAGE: usize = 500;

/// A post without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What happened, for a person: without the URL's path and query, and without a header.
    pub message: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The name could not be looked up, or has no address.
    Dns,
    /// There was no connection.
    Connect,
    /// There was one, and no TLS on it.
    Tls,
    /// It took too long.
    Timeout,
    /// The URL or an address of its host may not be called.
    BlockedAddress,
    /// What came back was not HTTP, or nothing came back.
    Protocol,
}

impl FailureClass {
    /// As the log of attempts writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::BlockedAddress => "blocked_address",
            Self::Protocol => "protocol",
        }
    }
}

/// Host and port, which is what a message may tell of a URL.
pub(super) struct Place(String);

impl Place {
    pub(super) fn of(url: &Url) -> Self {
        Self(format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    fn new(class: FailureClass, message: impl fmt::Display) -> Self {
        let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        Self { class, message: message.to_string().chars().take(LONGEST_MESSAGE).map(clean).collect() }
    }

    /// The URL itself may not be called.
    pub(super) fn refused(why: InvalidUrl) -> Self {
        Self::new(FailureClass::BlockedAddress, why)
    }

    /// The timer ended before a status came.
    pub(super) fn late(place: &Place) -> Self {
        Self::new(FailureClass::Timeout, format_args!("{place} did not answer in time"))
    }

    /// What an error of the client means.
    pub(super) fn of(error: &reqwest::Error, place: &Place) -> Self {
        if let Some(why) = sources(error).find_map(|source| source.downcast_ref::<Unreachable>()) {
            let class = match why {
                Unreachable::Refused { .. } => FailureClass::BlockedAddress,
                Unreachable::Lookup(_) => FailureClass::Dns,
            };
            return Self::new(class, why);
        }
        if let Some(why) = sources(error).find_map(|source| source.downcast_ref::<rustls::Error>()) {
            return Self::new(FailureClass::Tls, format_args!("no TLS with {place}: {why}"));
        }
        let cause = sources(error).last().map(ToString::to_string).unwrap_or_default();
        if error.is_timeout() && error.is_connect() {
            Self::new(FailureClass::Timeout, format_args!("{place} did not take the connection in time"))
        } else if error.is_timeout() {
            Self::late(place)
        } else if error.is_connect() && sources(error).any(is_after_tcp) {
            Self::new(FailureClass::Tls, format_args!("{place} closed the connection before TLS was agreed: {cause}"))
        } else if error.is_connect() {
            Self::new(FailureClass::Connect, format_args!("no connection to {place}: {cause}"))
        } else {
            Self::new(FailureClass::Protocol, format_args!("no HTTP answer from {place}: {cause}"))
        }
    }
}

/// Whether an error while connecting is one that only an established connection has. What is left of connecting then is TLS.
fn is_after_tcp(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind.is_some_and(|kind| {
        matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
    })
}

/// An error's causes, from the outside in, without the error itself. An I/O error passes over what it wraps when it is asked for
/// its source, so that is asked for.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let inner = |error: &'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    };
    std::iter::successors(inner(error), move |error| inner(*error))
}
