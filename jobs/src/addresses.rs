//! Which addresses may be called on behalf of a tenant: the public ones, and the networks that an operator allows. A pure
//! check: the API makes it when an address is saved, the workers where a connection is made.
//!
//! Source: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its successors), every entry that is not
//! globally reachable, and those that lead elsewhere (IPv4-mapped and -compatible, 6to4, Teredo, NAT64).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 networks that are nobody's public address.
const REFUSED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local, where clouds serve their metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relays"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The only IPv6 addresses that are public: global unicast.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Parts of global unicast that are nobody's public address, or lead elsewhere.
const REFUSED_V6: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0], 23), "protocol assignments, Teredo among them"),
    (v6([0x2001, 0xdb8, 0], 32), "documentation"),
    (v6([0x2002, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0], 20), "documentation"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// An address that may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not a public address ({why}); an operator can allow its network with PLUMBLINE_ALLOW_NETWORKS")]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub why: &'static str,
}

/// Networks as settings name them: CIDRs separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Networks that may be called besides the public ones: `PLUMBLINE_ALLOW_NETWORKS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Networks);

/// A text that is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a network: write CIDRs separated by commas, such as 10.1.0.0/16,fd12::/48")]
pub struct InvalidNetwork(String);

impl FromStr for Networks {
    type Err = InvalidNetwork;

    /// An address alone is the network of it alone.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let parse = |part: &str| part.parse().or_else(|_| part.parse().map(|address: IpAddr| address.into()));
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| parse(part).map_err(|_| InvalidNetwork(part.to_owned()))).collect::<Result<_, _>>().map(Self)
    }
}

impl Networks {
    /// Whether one of them has this address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Allowed {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        text.parse().map(Self)
    }
}

impl Allowed {
    /// Whether an operator named a network with this address. Public addresses need no naming to be called.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> bool {
        self.0.contain(address)
    }

    /// Whether an address may be called.
    ///
    /// # Errors
    /// [`Refused`] for all but public addresses and allowed networks.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        if self.name(address) {
            return Ok(());
        }
        match refusal(address) {
            None => Ok(()),
            Some(why) => Err(Refused { address, why }),
        }
    }
}

/// Why an address is not public; `None` when it is.
fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => REFUSED_V4.iter().find(|(network, _)| network.contains(&v4)).map(|(_, why)| *why),
        IpAddr::V6(v6) if !GLOBAL_UNICAST.contains(&v6) => Some("not global unicast"),
        IpAddr::V6(v6) => REFUSED_V6.iter().find(|(network, _)| network.contains(&v6)).map(|(_, why)| *why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, allowed: &str) -> Result<(), Refused> {
        allowed.parse::<Allowed>().unwrap().check(address.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.1.2.3",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:169.254.169.254",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(check(address, "").is_err(), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_not() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.128.0.0",
            "172.32.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(check(address, ""), Ok(()), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_may_be_called_and_its_neighbour_not() {
        assert_eq!(check("10.1.2.3", "10.1.0.0/16, fd12::/48"), Ok(()));
        assert_eq!(check("fd12::9", "10.1.0.0/16,fd12::/48"), Ok(()));
        let refused = check("10.2.0.1", "10.1.0.0/16").unwrap_err();
        assert!(refused.to_string().contains("10.2.0.1 is not a public address (private)"));
        assert!(check("::ffff:10.1.2.3", "10.1.0.0/16").is_err());
    }

    #[test]
    fn a_network_must_be_one() {
        assert_eq!("10.0.0.0/33".parse::<Allowed>(), Err(InvalidNetwork("10.0.0.0/33".to_owned())));
        assert_eq!("".parse::<Allowed>(), Ok(Allowed::default()));
    }
}
