//! Whose request it is when it comes through a proxy.
//!
//! Anybody can write `X-Forwarded-For`, so it is believed only as far as proxies that the operator trusts have written it:
//! each of them appends the address it was called from. Read from the right, the first address that is not a trusted
//! proxy's is the caller's; what stands left of it is the caller's own word.

use std::net::{IpAddr, SocketAddr};

use jobs::addresses::Networks;
use salvo::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The caller behind a peer. Where a trusted proxy wrote something that is no address, that proxy is all there is to name.
#[must_use]
pub fn caller(trusted: &Networks, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !trusted.contain(peer) {
        return peer;
    }
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let entries = values.iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut caller = peer;
    for entry in entries {
        let Some(address) = address(entry.trim()) else { break };
        caller = address;
        if !trusted.contain(address) {
            break;
        }
    }
    caller
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    text.parse().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, headers: &[&str]) -> String {
        let trusted = "10.0.0.0/8,fd00::/8".parse().unwrap();
        let headers = headers.iter().map(|value| (FORWARDED_FOR.parse().unwrap(), value.parse().unwrap())).collect();
        caller(&trusted, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        for (peer, headers, expected) in [
            ("203.0.113.1", &["198.51.100.1"][..], "203.0.113.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["made up, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.9", "198.51.100.1,10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(of(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
