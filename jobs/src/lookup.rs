//! Names to addresses, for calls that a tenant asked for.
//!
//! Not the system's own lookup, for three reasons. It must be possible to name the servers that are asked (a network where
//! the system's servers know names that tenants should not reach). Every address must be seen, of both families, before one
//! of them is called: whoever checks addresses and then lets a library look the name up once more has checked nothing. And
//! a lookup must end soon, which the system's does not.
//!
//! It fails closed: when one family of addresses cannot be found out, the name has no addresses at all, as what is not known
//! cannot be checked. A family without records is known, and harmless.

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The most that a lookup takes, both families together.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How long one round of questions waits for its answers. There are two, as one packet may get lost.
const ROUND: Duration = Duration::from_secs(2);

/// Rounds after the first.
const RETRIES: usize = 1;

/// The most addresses that a name may have.
pub const MOST_ADDRESSES: usize = 32;

/// An answer is kept as long as it says, but no longer than this, so that a name which moves is followed.
const LONGEST_KEPT: Duration = Duration::from_mins(1);

/// The same for the answer that there is nothing: whoever mends a name does not want to wait.
const LONGEST_KEPT_NOTHING: Duration = Duration::from_secs(5);

/// How many answers are kept.
const MOST_KEPT: u64 = 4096;

/// Looks names up. Clones share what they have learned.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
    hosts: Arc<Hosts>,
}

/// A resolver that cannot be made of what the system says.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system's DNS settings cannot be read: {0}. Mend /etc/resolv.conf or name servers with PLUMBLINE_DNS_SERVERS"
)]
pub struct InvalidSettings(#[from] NetError);

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// It cannot be a name.
    #[error("\"{0}\" is not a name that can be looked up: its parts must have 1 to 63 characters each, 253 in all")]
    NotAName(String),
    /// There is no such name, or it has no addresses.
    #[error("{0} has no address: check the name, and that its A or AAAA record is published")]
    NotFound(String),
    /// Its servers, or those that we ask, do not know.
    #[error("{0} could not be looked up: a name server answered with an error or not at all. Try again later")]
    Failed(String),
    /// Nobody answered in time.
    #[error("{0} could not be looked up: no name server answered in time. Try again later")]
    Timeout(String),
    /// It has more addresses than anyone needs.
    #[error("{0} has more than {MOST_ADDRESSES} addresses: give it fewer")]
    TooMany(String),
}

/// Name servers as settings name them: `IP:port`, or an IP alone for port 53, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers(Vec<SocketAddr>);

/// A text that is no list of name servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the address of a name server: write IP:port, such as 10.0.0.2:53 or [fd00::2]:53")]
pub struct InvalidServer(String);

impl FromStr for Servers {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let parse = |part: &str| part.parse().or_else(|_| part.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)));
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| parse(part).map_err(|_| InvalidServer(part.to_owned()))).collect::<Result<_, _>>().map(Self)
    }
}

impl Servers {
    /// The addresses, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Resolver {
    /// One that asks these servers alone; without any, one that knows what the system knows: `/etc/hosts`, and the servers
    /// of `/etc/resolv.conf`. Where that file does not exist, the server of this machine is asked, as resolv.conf(5) says.
    ///
    /// # Errors
    /// Settings of the system that cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, InvalidSettings> {
        let (config, hosts) = if servers.is_empty() {
            (system_servers()?, Hosts::from_system().unwrap_or_default())
        } else {
            (servers.iter().copied().map(server).collect(), Hosts::default())
        };
        let config = ResolverConfig::from_name_servers(config);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        options(builder.options_mut());
        Ok(Self { dns: builder.build()?, hosts: Arc::new(hosts) })
    }

    /// Every address of a name, of both families; an address is its own. Names are absolute: no search list is tried.
    ///
    /// # Errors
    /// See [`LookupError`]. A family that cannot be found out is an error even if the other one can; see the module.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let mut name = Name::from_ascii(host).map_err(|_| LookupError::NotAName(host.to_owned()))?;
        name.set_fqdn(true);
        let found = match self.in_hosts(&name) {
            Some(found) => found,
            None => tokio::time::timeout(LIMIT, self.in_dns(host, name))
                .await
                .map_err(|_| LookupError::Timeout(host.to_owned()))??,
        };
        match found.len() {
            0 => Err(LookupError::NotFound(host.to_owned())),
            1..=MOST_ADDRESSES => Ok(found),
            _ => Err(LookupError::TooMany(host.to_owned())),
        }
    }

    /// What the hosts file says. A name that stands in it is not asked for elsewhere, as everywhere on the system.
    fn in_hosts(&self, name: &Name) -> Option<Vec<IpAddr>> {
        let family = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found = [family(RecordType::A), family(RecordType::AAAA)];
        found.iter().any(Option::is_some).then(|| found.iter().flatten().flat_map(addresses).collect())
    }

    /// What the name servers say.
    async fn in_dns(&self, host: &str, name: Name) -> Result<Vec<IpAddr>, LookupError> {
        let family = async |name: Name, kind| match self.dns.lookup(name, kind).await {
            Ok(answer) => Ok(addresses(&answer).collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(Vec::new()),
            Err(NetError::Timeout) => Err(LookupError::Timeout(host.to_owned())),
            Err(_) => Err(LookupError::Failed(host.to_owned())),
        };
        let (mut found, v6) = tokio::try_join!(family(name.clone(), RecordType::A), family(name, RecordType::AAAA))?;
        found.extend(v6);
        Ok(found)
    }
}

/// The addresses in an answer.
fn addresses(answer: &Lookup) -> impl Iterator<Item = IpAddr> {
    answer.answers().iter().filter_map(|record| match &record.data {
        RData::A(v4) => Some(IpAddr::V4(v4.0)),
        RData::AAAA(v6) => Some(IpAddr::V6(v6.0)),
        _ => None,
    })
}

/// The servers of `/etc/resolv.conf`.
fn system_servers() -> Result<Vec<NameServerConfig>, NetError> {
    match system_conf::read_system_conf() {
        Ok((config, _)) => Ok(config.into_parts().2),
        Err(NetError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(vec![server(SocketAddr::from(([127, 0, 0, 1], 53)))])
        }
        Err(error) => Err(error),
    }
}

/// A server that is asked over UDP, and over TCP where an answer is too long for that.
fn server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

/// How we ask, whatever the system's settings say of it: they are made for people who can wait.
fn options(options: &mut ResolverOpts) {
    options.timeout = ROUND;
    options.attempts = RETRIES;
    options.cache_size = MOST_KEPT;
    options.positive_max_ttl = Some(LONGEST_KEPT);
    options.negative_max_ttl = Some(LONGEST_KEPT_NOTHING);
    // We read it ourselves: there a name with an address of one family would be asked for elsewhere for the other.
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        let servers: Servers = " 10.0.0.2:5353, 10.0.0.3,[fd00::2]:53, fd00::3 ,".parse().unwrap();
        let wanted = ["10.0.0.2:5353", "10.0.0.3:53", "[fd00::2]:53", "[fd00::3]:53"].map(|text| text.parse().unwrap());
        assert_eq!(servers.addresses(), wanted);
        assert_eq!("".parse(), Ok(Servers::default()));
        for text in ["dns.example", "10.0.0.2:", "10.0.0.2:99999", "10.0.0.2 10.0.0.3"] {
            assert_eq!(text.parse::<Servers>(), Err(InvalidServer(text.to_owned())));
        }
    }

    #[tokio::test]
    async fn what_stands_in_the_hosts_file_is_not_asked_for() {
        // Nobody answers there: asking would take seconds, and fail.
        let mut resolver = Resolver::new(&["127.0.0.1:9".parse().unwrap()]).unwrap();
        let name = Name::from_ascii("receiver.").unwrap();
        let record = RData::A("10.9.8.7".parse::<std::net::Ipv4Addr>().unwrap().into());
        let lookup = Lookup::from_rdata(Query::query(name.clone(), RecordType::A), record);
        let mut hosts = Hosts::default();
        hosts.insert(name, RecordType::A, lookup);
        resolver.hosts = Arc::new(hosts);
        assert_eq!(resolver.lookup("Receiver").await, Ok(vec!["10.9.8.7".parse().unwrap()]));
    }
}
