//! Which URLs may be posted to.
//!
//! Two checks. [`parse`] judges the text alone: it is made when an endpoint is saved and before every delivery, as an operator
//! may have changed the rules in between. [`reachable`] judges where the name leads: also when an endpoint is saved, so that
//! whoever typed it learns at once, and where a connection is made, with the addresses that the connection then uses. The
//! second is the one that protects; between saving and delivering, a name may have moved anywhere.
//!
//! The text is read as browsers read it (the WHATWG's URL standard, crate `url`), and so is every other reader of it here, the
//! HTTP client included. So all notations of an IP address (`127.1`, `0x7f.0.0.1`, `2130706433`, fullwidth digits) are one
//! literal before anything is decided. Names that sound private (`localhost`, `*.internal`) get no rule of their own: what they
//! lead to decides.

use super::ports;
use crate::addresses::{Allowed, Refused};
use crate::lookup::{LookupError, Resolver};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
pub use url::Url;
use url::{Host, ParseError};

/// The most characters of a URL, as typed and as sent.
pub const LONGEST: usize = 1024;

/// Why a text is no URL of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Too long.
    #[error("the URL has more than {LONGEST} characters: use a shorter one")]
    Long,
    /// Blanks or control characters, which a parser would silently drop.
    #[error("the URL has blanks or control characters: percent-encode them, or leave them out")]
    Blanks,
    /// No URL, or none with a host.
    #[error("the URL cannot be read ({0}): write it in full, such as https://hooks.example.com/plumbline")]
    Syntax(#[from] ParseError),
    /// Neither https nor http.
    #[error("the URL's scheme is \"{0}\": use https")]
    Scheme(String),
    /// Plain http to something else than this machine, or this machine without leave.
    #[error(
        "the URL's scheme is http: use https. Plain http is only for localhost and loopback addresses, and only if an operator \
         allows them with PLUMBLINE_ALLOW_NETWORKS"
    )]
    PlainHttp,
    /// A user or a password.
    #[error("the URL has a user or a password: leave them out, and put what authenticates us into a custom header")]
    Credentials,
    /// A fragment, which is never sent.
    #[error("the URL has a fragment (#…), which is never sent: leave it out")]
    Fragment,
    /// An IP address for a host.
    #[error(
        "the URL's host is the IP address {0}: use a name. An address is only possible if an operator allows its network with \
         PLUMBLINE_ALLOW_NETWORKS"
    )]
    Literal(IpAddr),
    /// A host that no name server can know.
    #[error(
        "the URL's host \"{0}\" is not a name: its parts have 1 to 63 letters, digits and hyphens each, with dots between them, 253 \
         characters in all"
    )]
    Host(String),
    /// A port where something else than HTTP listens.
    #[error("port {0} is for {1}: use 443, or another port that serves webhooks")]
    Port(u16, &'static str),
}

/// Why an endpoint may not be called, or its address is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// One of the addresses may not be called.
    ///
    /// The text leaves the address out: the names of an operator's own network may be known to the name servers that we ask, and
    /// a tenant could read its addresses off the refusals.
    #[error(
        "{host} leads to an address that is not public ({}): use a host on the internet, or ask an operator to allow the network \
         with PLUMBLINE_ALLOW_NETWORKS", .refused.why
    )]
    Refused {
        /// The URL's host.
        host: String,
        /// The address, and what it is.
        refused: Refused,
    },
    /// The addresses cannot be found out.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

/// Reads a URL and judges all of it that can be judged without asking anyone.
///
/// # Errors
/// See [`InvalidUrl`].
pub fn parse(text: &str, allowed: &Allowed) -> Result<Url, InvalidUrl> {
    if text.chars().count() > LONGEST {
        return Err(InvalidUrl::Long);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(InvalidUrl::Blanks);
    }
    let url = Url::parse(text)?;
    if url.as_str().len() > LONGEST {
        return Err(InvalidUrl::Long);
    }
    if !matches!(url.scheme(), "https" | "http") {
        return Err(InvalidUrl::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUrl::Credentials);
    }
    if url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    check_host(&url, allowed)?;
    let port = url.port_or_known_default().unwrap_or_default();
    match ports::refusal(port) {
        Some(what) => Err(InvalidUrl::Port(port, what)),
        None => Ok(url),
    }
}

/// A name of the usual characters, or a literal that an operator allows; for http, one of this machine.
fn check_host(url: &Url, allowed: &Allowed) -> Result<(), InvalidUrl> {
    let local = match url.host().ok_or(ParseError::EmptyHost)? {
        Host::Domain(name) => {
            if !is_name(name) {
                return Err(InvalidUrl::Host(name.to_owned()));
            }
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            name == "localhost" && loopback.into_iter().any(|address| allowed.name(address))
        }
        Host::Ipv4(v4) => check_literal(v4.into(), allowed)?,
        Host::Ipv6(v6) => check_literal(v6.into(), allowed)?,
    };
    if url.scheme() == "http" && !local { Err(InvalidUrl::PlainHttp) } else { Ok(()) }
}

/// A host name (RFC 1123, 2.1), with underscores, which name servers know though hosts should not have them. Less than the URL
/// standard takes, and no more than DNS and TLS can carry.
fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(part)
}

/// Whether an allowed literal is this machine's.
fn check_literal(address: IpAddr, allowed: &Allowed) -> Result<bool, InvalidUrl> {
    if allowed.name(address) { Ok(address.is_loopback()) } else { Err(InvalidUrl::Literal(address)) }
}

/// Where a URL leads, if all of it may be called: a check for whoever saves it.
///
/// # Errors
/// See [`Unreachable`]; a lookup that fails is one.
pub async fn check(url: &Url, resolver: &Resolver, allowed: &Allowed) -> Result<Vec<IpAddr>, Unreachable> {
    match url.host() {
        Some(Host::Ipv4(v4)) => permitted(url.host_str().unwrap_or_default(), vec![v4.into()], allowed),
        Some(Host::Ipv6(v6)) => permitted(url.host_str().unwrap_or_default(), vec![v6.into()], allowed),
        Some(Host::Domain(name)) => reachable(name, resolver, allowed).await,
        None => Err(LookupError::NotAName(String::new()).into()),
    }
}

/// The addresses of a name, if every one of them may be called. One that may not refuses all: who answers with a public and a
/// private address hopes that the private one is taken.
///
/// # Errors
/// See [`Unreachable`].
pub async fn reachable(host: &str, resolver: &Resolver, allowed: &Allowed) -> Result<Vec<IpAddr>, Unreachable> {
    permitted(host, resolver.lookup(host).await?, allowed)
}

fn permitted(host: &str, addresses: Vec<IpAddr>, allowed: &Allowed) -> Result<Vec<IpAddr>, Unreachable> {
    match addresses.iter().find_map(|address| allowed.check(*address).err()) {
        Some(refused) => Err(Unreachable::Refused { host: host.to_owned(), refused }),
        None => Ok(addresses),
    }
}

#[cfg(test)]
mod tests;
